"""What a team and its CRM do over HTTP, told as they would."""

import json
from typing import Any
from uuid import uuid4

import pytest

from cadence_engine.domain.api_key import Scope
from tests.api.conftest import ACME, DEFINITION, Api


async def test_from_a_definition_to_a_cancelled_enrollment(api: Api) -> None:
    key = await api.key()
    published = await api.published(key)
    assert published.fine(201) == {"key": "welcome", "version": 1, "outcome": "created", "status": "active"}
    await api.known("ana")

    enrolled = await api("POST", "/v1/enrollments", key, json={"cadenceKey": "welcome", "contactId": "ana"})
    assert enrolled.fine(201)["created"] is True
    where = enrolled.headers["Location"]
    shown = (await api("GET", where, key)).fine()
    assert (shown["status"], shown["contactId"], shown["stepIndex"]) == ("active", "ana", 0)
    assert shown["nextRunAt"].endswith("Z")
    assert len(api.wakes) == 1

    again = await api("POST", "/v1/enrollments", key, json={"cadenceKey": "welcome", "contactId": "ana"})
    assert again.fine(200) == {"enrollmentId": shown["enrollmentId"], "created": False}

    cancelled = (await api("POST", f"{where}/cancel", key, json={"reason": "moved to phone"})).fine()
    assert (cancelled["status"], cancelled["cancelReason"]) == ("cancelled", "operator")
    assert (await api("POST", f"{where}/cancel", key)).fine() == cancelled

    status = (await api("GET", "/v1/contacts/ana", key)).fine()
    assert status["contact"]["phone"] == "+55…1234"
    assert [each["type"] for each in status["timeline"]] == [
        "cadence.enrollment.started",
        "cadence.enrollment.cancelled",
    ]
    ended = status["timeline"][-1]["data"]
    assert (ended["actor"], ended["note"]) == ("api-key:crm", "moved to phone")
    assert status["gate"]["held"] == "replies_behind"  # no consumer runs here


async def test_a_refusal_says_its_rule_and_is_kept_in_the_timeline(api: Api) -> None:
    key = await api.key()
    await api.published(key, reentry="never")
    await api.known("ana")
    asked = {"cadenceKey": "welcome", "contactId": "ana"}
    enrolled = (await api("POST", "/v1/enrollments", key, json=asked)).fine(201)
    await api("POST", f"/v1/enrollments/{enrolled['enrollmentId']}/cancel", key)

    refused = await api("POST", "/v1/enrollments", key, json=asked)

    assert "passed through this cadence before" in refused.problem(409, "reentry")["detail"]
    last = (await api("GET", "/v1/contacts/ana", key)).fine()["timeline"][-1]
    assert (last["type"], last["data"]["reason"], last["enrollmentId"]) == (
        "cadence.enrollment.refused",
        "reentry",
        None,
    )


async def test_why_about_a_passage_and_about_a_cadence_that_was_never_triggered(api: Api) -> None:
    key = await api.key()
    await api.published(key)
    await api.published(key, key="never", trigger={"event": "lead.created"})
    await api.known("ana")
    asked = {"cadenceKey": "welcome", "contactId": "ana"}
    where = (await api("POST", "/v1/enrollments", key, json=asked)).headers["Location"]
    await api("POST", f"{where}/cancel", key)

    about = (await api("GET", f"{where}/why", key)).fine()
    assert [each["type"].rpartition(".")[-1] for each in about["timeline"]] == ["started", "cancelled"]
    assert about["passages"][0]["waitsFor"] is None
    newest = (await api("GET", f"{where}/why?limit=1", key)).fine()
    older = (await api("GET", f"{where}/why?limit=1&cursor={newest['next']}", key)).fine()
    assert older["timeline"] + newest["timeline"] == about["timeline"]

    outlooks = (await api("GET", "/v1/contacts/ana", key)).fine()["outlooks"]
    assert {each["cadenceKey"]: each["soFar"] for each in outlooks} == {
        "never": "never_triggered",
        "welcome": "was_in_it",
    }
    for wrong in ("limit=0", "limit=x", "cursor=", "cursor=a&cursor=b"):
        (await api("GET", f"{where}/why?{wrong}", key)).problem(422, "invalid_request")


async def test_pausing_and_resuming_a_cadence(api: Api) -> None:
    key = await api.key()
    await api.published(key)
    await api.known("ana")
    asked = {"cadenceKey": "welcome", "contactId": "ana"}

    paused = (await api("POST", "/v1/cadences/welcome/pause", key, json={"reason": "typo"})).fine()
    assert paused == {"key": "welcome", "status": "paused", "settled": False, "actor": "api-key:crm", "reason": "typo"}
    (await api("POST", "/v1/enrollments", key, json=asked)).problem(409, "cadence_not_active")
    waiting = await api("POST", "/v1/cadences/welcome/resume", key)
    waiting.problem(409, "still_moving")
    assert waiting.headers["Retry-After"]

    await api.pool.execute("UPDATE cadences SET settled = true")  # as a worker does
    assert (await api("POST", "/v1/cadences/welcome/resume", key)).fine()["status"] == "active"
    (await api("POST", "/v1/enrollments", key, json=asked)).fine(201)
    assert (await api("GET", "/v1/cadences", key)).fine()["cadences"][0]["counts"] == {"active": 1}


async def test_what_is_shown_can_be_sent_back(api: Api) -> None:
    key = await api.key()
    await api.published(key)
    shown = await api("GET", "/v1/cadences/welcome", key)
    assert shown.headers["ETag"] == '"1"'

    same = await api("PUT", "/v1/cadences/welcome", key, json=shown.fine()["definition"])

    assert same.fine()["outcome"] == "unchanged"
    assert same.headers["ETag"] == '"1"'


async def test_a_definition_may_be_yaml(api: Api) -> None:
    key = await api.key()
    written = """
        key: welcome
        name: Welcome      # a comment
        trigger: {event: api}
        steps: [{key: hello, wait: P1D, template: {id: hello_1}}]
    """
    as_yaml = {"Content-Type": "application/yaml"}
    (await api("PUT", "/v1/cadences/welcome", key, data=written, headers=as_yaml)).fine(201)

    wrong = await api("PUT", "/v1/cadences/welcome", key, data=written.replace("id:", "name:"), headers=as_yaml)

    places = [(each["pointer"], each["line"]) for each in wrong.problem(422, "invalid_definition")["errors"]]
    assert ("/steps/0/template/name", 5) in places


async def test_a_definition_in_json_may_escape_what_it_likes(api: Api) -> None:
    key = await api.key()
    as_json = {"Content-Type": "application/json"}
    written = json.dumps({**DEFINITION, "name": "Olá 😀"})
    assert "\\ud83d" in written
    (await api("PUT", "/v1/cadences/welcome", key, data=written, headers=as_json)).fine(201)
    assert (await api("GET", "/v1/cadences/welcome", key)).fine()["name"] == "Olá 😀"
    half = written.replace("\\ude00", "")
    (await api("PUT", "/v1/cadences/welcome", key, data=half, headers=as_json)).problem(400, "not_json")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Match": '"1"'}, 200),
        ({"If-Match": '"7", "1"'}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": '"2"'}, 412),
        ({"If-Match": 'W/"1"'}, 412),
        ({"If-None-Match": "*"}, 412),
    ],
)
async def test_a_change_is_made_to_what_was_seen_or_not_at_all(api: Api, headers: dict[str, str], status: int) -> None:
    key = await api.key()
    await api.published(key)
    changed = {**DEFINITION, "name": "Warm welcome"}

    said = await api("PUT", "/v1/cadences/welcome", key, json=changed, headers=headers)

    if status == 412:
        assert '"1"' in said.problem(412, "precondition_failed")["detail"]
    else:
        assert said.fine()["outcome"] == "newVersion"
    assert (await api("GET", "/v1/cadences/welcome", key)).fine()["version"] == (1 if status == 412 else 2)


async def test_a_change_of_what_is_not_there_is_refused(api: Api) -> None:
    key = await api.key()
    said = await api("PUT", "/v1/cadences/welcome", key, json=DEFINITION, headers={"If-Match": "*"})
    said.problem(412, "precondition_failed")
    assert (await api("GET", "/v1/cadences", key)).fine() == {"cadences": []}
    (await api("PUT", "/v1/cadences/welcome", key, json=DEFINITION, headers={"If-None-Match": "*"})).fine(201)


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"key": "another"}, "/key"),
        ({"company": "other"}, "/company"),
        ({"steps": []}, "/steps"),
        ({"trigger": {"event": "api", "after": "P1D"}}, "/trigger/after"),
    ],
)
async def test_a_wrong_definition_is_told_by_its_places(api: Api, changed: dict[str, Any], place: str) -> None:
    key = await api.key()
    said = await api("PUT", "/v1/cadences/welcome", key, json={**DEFINITION, **changed})
    assert place in [each["pointer"] for each in said.problem(422, "invalid_definition")["errors"]]


async def test_settings_that_are_left_out_stay(api: Api) -> None:
    key = await api.key()
    set_up = (
        await api("PATCH", "/v1/company", key, json={"timeZone": "America/Sao_Paulo", "inactivityLimit": None})
    ).fine()
    assert (set_up["timeZone"], set_up["inactivityLimit"], set_up["inactiveDays"]) == ("America/Sao_Paulo", None, 21)
    assert (await api("PATCH", "/v1/company", key, json={"detectorHour": 8})).fine() == set_up | {"detectorHour": 8}
    assert (await api("GET", "/v1/company", key)).fine() == set_up | {"detectorHour": 8}


@pytest.mark.parametrize(
    "asked",
    [{"timeZone": "Sao_Paulo"}, {"inactiveDays": None}, {"detectorHour": 24}, {"locale": "pt_BR!"}, {"company": "x"}],
)
async def test_a_wrong_setting_is_refused(api: Api, asked: dict[str, Any]) -> None:
    said = await api("PATCH", "/v1/company", await api.key(), json=asked)
    assert said.problem(422, "invalid_request")["errors"][0]["pointer"] == f"/{next(iter(asked))}"


async def test_what_is_not_there_is_not_found(api: Api) -> None:
    key = await api.key()
    (await api("GET", "/v1/cadences/nothing", key)).problem(404, "cadence_not_found")
    (await api("POST", "/v1/cadences/nothing/pause", key)).problem(404, "cadence_not_found")
    (await api("GET", f"/v1/enrollments/{uuid4()}", key)).problem(404, "enrollment_not_found")
    (await api("GET", "/v1/contacts/nobody", key)).problem(404, "contact_not_found")
    await api.published(key)
    for more, code in [
        ({"contactId": "nobody"}, "contact_not_found"),
        ({"contactId": "ana", "leadId": "none"}, "lead_not_found"),
        ({"contactId": "ana", "conversationId": "none"}, "conversation_not_found"),
    ]:
        await api.pool.execute("DELETE FROM contacts")
        await api.known("ana")
        asked = {"cadenceKey": "welcome", **more}
        (await api("POST", "/v1/enrollments", key, json=asked)).problem(404, code)


async def test_a_completed_enrollment_cannot_be_cancelled(api: Api) -> None:
    key = await api.key()
    await api.published(key)
    await api.known("ana")
    asked = {"cadenceKey": "welcome", "contactId": "ana", "context": {"plan": "pro", "seats": 3, "trial": True}}
    enrolled = (await api("POST", "/v1/enrollments", key, json=asked)).fine(201)
    await api.pool.execute(
        "UPDATE cadence_enrollments SET status = 'completed', next_run_at = NULL, ended_at = now(), step_index = 2"
    )
    where = f"/v1/enrollments/{enrolled['enrollmentId']}"
    (await api("POST", f"{where}/cancel", key)).problem(409, "enrollment_ended")
    assert (await api("GET", where, key)).fine()["context"] == asked["context"]


async def test_ids_of_others_may_hold_anything_printable(api: Api) -> None:
    key = await api.key(ACME, Scope.READ)
    await api.known("a/b c?é")
    assert (await api("GET", "/v1/contacts/a%2Fb%20c%3F%C3%A9", key)).fine()["contact"]["contactId"] == "a/b c?é"


async def test_a_halt_is_seen_wherever_one_looks(api: Api) -> None:
    key = await api.key()
    await api.known("ana")
    (await api("POST", "/v1/unhalt", key)).problem(409, "not_halted")
    begun = (await api("POST", "/v1/halt", key, json={"reason": "wrong price"})).fine()
    assert (begun["startedBy"], begun["reason"], begun["endedAt"]) == ("api-key:crm", "wrong price", None)
    assert (await api("POST", "/v1/halt", key, json={"reason": "again"})).fine() == begun
    assert (await api("GET", "/v1/contacts/ana", key)).fine()["halts"] == [begun]
    assert (await api("GET", "/v1/halts", key)).fine() == {"inForce": [begun], "history": [begun]}

    ended = (await api("POST", "/v1/unhalt", key, json={"reason": "mended"})).fine()
    assert (ended["endReason"], ended["startedAt"]) == ("mended", begun["startedAt"])
    assert (await api("GET", "/v1/halts", key)).fine() == {"inForce": [], "history": [ended]}


async def test_archiving_takes_a_cadence_out_of_use_and_back(api: Api) -> None:
    key = await api.key()
    await api.published(key)
    (await api("POST", "/v1/cadences/welcome/unarchive", key)).problem(409, "not_archived")
    assert (await api("POST", "/v1/cadences/welcome/archive", key)).fine()["status"] == "archived"
    (await api("POST", "/v1/cadences/welcome/pause", key)).problem(409, "cadence_archived")
    assert (await api("GET", "/v1/cadences", key)).fine() == {"cadences": []}
    assert len((await api("GET", "/v1/cadences?archived=true", key)).fine()["cadences"]) == 1
    (await api("POST", "/v1/cadences/welcome/unarchive", key)).problem(409, "still_moving")
    await api.pool.execute("UPDATE cadences SET settled = true")  # as a worker does
    assert (await api("POST", "/v1/cadences/welcome/unarchive", key)).fine()["status"] == "paused"
