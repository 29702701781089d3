"""Funnel, simulation and dead letters over HTTP; their rules are tested beside their handlers."""

from typing import Any

import orjson
import pytest

from cadence_engine.domain.api_key import Scope
from tests.api.conftest import ACME, DEFINITION, OTHER, Api

CREATED = "contact.created"


async def _letter(api: Api, prefix: str, offset: int, data: dict[str, Any] | bytes) -> dict[str, Any]:
    """A kept letter of ACME's, published already."""
    event = {"specversion": "1.0", "id": f"e{offset}", "source": "/crm", "type": CREATED, "data": data}
    await api.pool.execute("INSERT INTO companies (company_id) VALUES ($1) ON CONFLICT DO NOTHING", ACME)
    await api.pool.execute(
        """
        INSERT INTO dead_letters (topic, partition, record_offset, record_timestamp, value, header_names, header_values,
            reason, detail, company_id, contact_id)
        VALUES ($1, 0, $2, extract(epoch FROM now()) * 1000, $3, '{content-type}', $4, 'invalid_data',
            'was wrong', $5, $6)
        """,
        prefix + CREATED,
        offset,
        data if isinstance(data, bytes) else orjson.dumps(event),
        [b"application/cloudevents+json"],
        ACME,
        data["contactId"] if isinstance(data, dict) else "ana",
    )
    return {"topic": prefix + CREATED, "partition": 0, "offset": offset}


async def test_a_funnel_of_every_version(api: Api) -> None:
    key = await api.key()
    await api.published(key)
    await api.published(key, name="Warm welcome")
    versions = (await api("GET", "/v1/cadences/welcome/funnel", key)).fine()["versions"]
    assert [(each["version"], each["started"], each["replyRate"]) for each in versions] == [(2, 0, None), (1, 0, None)]
    assert [step["key"] for step in versions[0]["steps"]] == ["hello", "again"]
    assert len((await api("GET", "/v1/cadences/welcome/funnel?version=1", key)).fine()["versions"]) == 1
    (await api("GET", "/v1/cadences/welcome/funnel?version=3", key)).problem(404, "version_not_found")


async def test_a_simulation_says_each_step_and_does_nothing(api: Api) -> None:
    key = await api.key()
    await api.published(key)
    await api.known("ana")
    asked = {"contactIds": ["ana", "nobody"], "start": "2030-01-01T12:00:00Z"}
    ana, nobody = (await api("POST", "/v1/cadences/welcome/simulate", key, json=asked)).fine()["contacts"]
    assert [step["at"] for step in ana["steps"]] == ["2030-01-02T12:00:00Z", "2030-01-05T12:00:00Z"]
    assert ana["completesAt"] == "2030-01-05T12:00:00Z"
    assert nobody["refused"] == "contact_not_found"
    assert (await api("GET", "/v1/enrollment-count", key)).fine() == {"count": 0}


async def test_a_definition_is_simulated_before_anybody_is_in_it(api: Api) -> None:
    key = await api.key()
    await api.known("ana")
    where, asked = "/v1/cadences/welcome/simulate", {"contactIds": ["ana"], "start": "2030-01-01T12:00:00Z"}
    (await api("POST", where, key, json=asked)).problem(404, "cadence_not_found")
    (await api("POST", where, key, json={**asked, "draft": True})).problem(404, "draft_not_found")

    sent = (await api("POST", where, key, json={**asked, "definition": DEFINITION})).fine()
    assert sent["version"] == 1
    assert [step["at"] for step in sent["contacts"][0]["steps"]] == ["2030-01-02T12:00:00Z", "2030-01-05T12:00:00Z"]
    (await api("PUT", "/v1/drafts/welcome", key, json=DEFINITION)).fine()
    assert (await api("POST", where, key, json={**asked, "draft": True})).fine() == sent
    await api.published(key, steps=DEFINITION["steps"][:1])
    assert (await api("POST", where, key, json={**asked, "draft": True})).fine() == {**sent, "version": 2}
    assert len((await api("POST", where, key, json=asked)).fine()["contacts"][0]["steps"]) == 1
    assert (await api("GET", "/v1/cadences/welcome", key)).fine()["version"] == 1

    (await api("POST", where, await api.key(OTHER), json={**asked, "draft": True})).problem(404, "draft_not_found")
    both = await api("POST", where, key, json={**asked, "draft": True, "definition": DEFINITION})
    both.problem(422, "invalid_request")


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"key": "another"}, "/definition/key"),
        ({"company": "other"}, "/definition/company"),
        ({"steps": [{"key": "a", "wait": "P1D"}]}, "/definition/steps/0/template"),
        ({"name": "\ud83d"}, ""),
        ({"replyGrace": 10**30}, "/definition/replyGrace"),
    ],
)
async def test_what_is_wrong_with_a_definition_is_told_by_its_place(
    api: Api, changed: dict[str, Any], place: str
) -> None:
    asked = {"contactIds": ["ana"], "definition": {**DEFINITION, **changed}}
    said = await api("POST", "/v1/cadences/welcome/simulate", await api.key(), json=asked)
    if place:
        assert place in [each["pointer"] for each in said.problem(422, "invalid_definition")["errors"]]
    else:
        said.problem(400, "not_json")


async def test_a_letter_is_looked_at_masked_unless_an_admin_asks_for_all(api: Api, topic_prefix: str) -> None:
    letter = await _letter(api, topic_prefix, 1, {"companyId": ACME, "contactId": "ana", "name": "Ana Maria"})
    where = "/v1/dead-letters/" + "/".join(str(part) for part in letter.values())
    reading = await api.key(ACME, Scope.READ)

    shown = (await api("GET", where, reading)).fine()
    assert (shown["reason"], shown["detail"], shown["state"]) == ("invalid_data", "was wrong", "kept")
    assert "Ana Maria" not in str(shown)
    (await api("GET", f"{where}?full=true", reading)).problem(403, "missing_scope")
    full = (await api("GET", f"{where}?full=true", await api.key())).fine()
    assert full["value"]["data"]["name"] == "Ana Maria"
    (await api("GET", where[:-1] + "2", reading)).problem(404, "letter_not_found")


async def test_why_counts_the_records_of_a_contact_that_could_not_be_read(api: Api, topic_prefix: str) -> None:
    await _letter(api, topic_prefix, 1, {"companyId": ACME, "contactId": "ana", "name": "Ana Maria"})
    key, stranger = await api.key(ACME, Scope.READ), await api.key("globex", Scope.READ)
    unknown = (await api("GET", "/v1/contacts/ana", key)).problem(404, "contact_not_found")
    assert "`GET /v1/dead-letters?contactId=..`" in unknown["detail"]
    assert (
        "dead-letters"
        not in (await api("GET", "/v1/contacts/ana", stranger)).problem(404, "contact_not_found")["detail"]
    )
    await api.known("ana")
    told = (await api("GET", "/v1/contacts/ana", key)).fine()
    assert told["unread"] == [{"topic": topic_prefix + CREATED, "reason": "invalid_data", "letters": 1}]


async def test_letters_are_replayed_once_and_what_is_still_wrong_stays(api: Api, topic_prefix: str) -> None:
    key = await api.key()
    await _letter(api, topic_prefix, 1, {"companyId": ACME, "contactId": "ana", "name": "Ana"})
    bad = await _letter(api, topic_prefix, 2, b"no json")
    assert len((await api("GET", "/v1/dead-letters?limit=1", key)).fine()["letters"]) == 1

    assert (await api("POST", "/v1/dead-letters/replay", key, json={"dryRun": True})).fine()["counted"] == 2
    done = (await api("POST", "/v1/dead-letters/replay", key)).fine()
    assert (done["applied"], done["next"]) == (1, None)
    (stays,) = done["stillDead"]
    assert ({name: stays[name] for name in bad}, stays["reason"]) == (bad, "not_json")
    assert stays["detail"]
    assert (await api("GET", "/v1/contacts/ana", key)).fine()["contact"]["name"] == "Ana"
    again = (await api("POST", "/v1/dead-letters/replay", key)).fine()
    assert (again["applied"], again["stillDead"]) == (0, [stays])

    (await api("POST", "/v1/dead-letters/drop", key, json={"letter": bad})).problem(422, "invalid_request")
    dropped = (await api("POST", "/v1/dead-letters/drop", key, json={"letter": bad, "reason": "a test"})).fine()
    assert dropped["dropped"] == 1
    (await api("POST", "/v1/dead-letters/drop", key, json={"letter": bad, "reason": "a test"})).problem(
        404, "letter_not_found"
    )


async def test_a_replay_under_a_key_is_answered_as_it_was(api: Api, topic_prefix: str) -> None:
    key = await api.key()
    letter = await _letter(api, topic_prefix, 1, {"companyId": ACME, "contactId": "ana", "name": "Ana"})
    where, monday = "/v1/dead-letters/replay", {"Idempotency-Key": "monday"}
    asked = {"letter": letter, "reason": "mended"}

    first = (await api("POST", where, key, json=asked, headers=monday)).fine()
    assert first["applied"] == 1
    assert (await api("POST", where, key, json=asked, headers=monday)).fine() == first
    (await api("POST", where, key, json=asked)).problem(404, "letter_not_found")
    (await api("POST", where, key, json={}, headers=monday)).problem(409, "idempotency_key_used")
    # What came to nothing uses no key up.
    tuesday = {"Idempotency-Key": "tuesday"}
    (await api("POST", where, key, json=asked, headers=tuesday)).problem(404, "letter_not_found")
    assert (await api("POST", where, key, json={}, headers=tuesday)).fine()["applied"] == 0


async def test_letters_are_chosen_by_whom_they_name_and_why_they_are_dead(api: Api, topic_prefix: str) -> None:
    key = await api.key()
    for offset, contact in enumerate(("ana", "bia")):
        await _letter(api, topic_prefix, offset, {"companyId": ACME, "contactId": contact, "name": "X"})

    told = (await api("GET", "/v1/contacts/bia", key)).problem(404, "contact_not_found")
    assert "/v1/dead-letters?contactId" in told["remedy"]
    (letter,) = (await api("GET", "/v1/dead-letters?contactId=bia", key)).fine()["letters"]
    assert letter["contactId"] == "bia"
    assert len((await api("GET", "/v1/dead-letters?code=invalid_data", key)).fine()["letters"]) == 2
    assert (await api("GET", "/v1/dead-letters?code=stale", key)).fine()["letters"] == []
    (await api("GET", "/v1/dead-letters?code=nonsense", key)).problem(422, "invalid_request")
    asked = {"contactId": "bia", "code": "invalid_data", "reason": "the CRM is mended"}
    assert (await api("POST", "/v1/dead-letters/replay", key, json=asked)).fine()["applied"] == 1
    (left,) = (await api("GET", "/v1/dead-letters", key)).fine()["letters"]
    assert left["contactId"] == "ana"


async def test_a_list_of_letters_goes_on_behind_its_last(api: Api, topic_prefix: str) -> None:
    key = await api.key()
    for offset in range(3):
        await _letter(api, topic_prefix, offset, b"no json")
    first = (await api("GET", "/v1/dead-letters?limit=2", key)).fine()
    second = (await api("GET", f"/v1/dead-letters?limit=2&cursor={first['next']}", key)).fine()
    assert [each["offset"] for each in first["letters"] + second["letters"]] == [2, 1, 0]
    assert second["next"] is None
    assert (await api("GET", "/v1/dead-letters?state=dropped", key)).fine()["letters"] == []
    (await api("GET", "/v1/dead-letters?cursor=x", key)).problem(400, "bad_cursor")
