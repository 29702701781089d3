"""Operating on enrollments, one and many, over HTTP."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest

from tests.api.conftest import DEFINITION, Api

NDJSON = "application/x-ndjson"


async def _enrolled(api: Api, key: str, *contacts: str) -> list[str]:
    await api.published(key)
    await api.known(*contacts)
    asked = [{"cadenceKey": "welcome", "contactId": contact} for contact in contacts]
    answers = [(await api("POST", "/v1/enrollments", key, json=each)).fine(201) for each in asked]
    return [each["enrollmentId"] for each in answers]


async def test_one_is_paused_resumed_skipped_and_hastened(api: Api) -> None:
    key = await api.key()
    (one,) = await _enrolled(api, key, "ana")
    where = f"/v1/enrollments/{one}"

    paused = (
        await api("POST", f"{where}/pause", key, json={"until": "2100-01-01T00:00:00Z", "reason": "asked"})
    ).fine()
    assert (paused["status"], paused["pausedBy"], paused["resumeAt"]) == ("paused", "operator", "2100-01-01T00:00:00Z")
    (await api("POST", f"{where}/run-now", key)).problem(409, "enrollment_paused")
    assert (await api("POST", f"{where}/resume", key, json={"mode": "catch_up"})).fine()["status"] == "active"
    (await api("POST", f"{where}/skip", key, json={"stepKey": "again"})).problem(409, "another_step")
    assert (await api("POST", f"{where}/skip", key, json={"stepKey": "hello"})).fine()["stepIndex"] == 1
    shown = (await api("GET", where, key)).fine()
    assert (shown["stepKey"], shown["steps"]) == ("again", 2)
    hastened = (await api("POST", f"{where}/run-now", key)).fine()
    assert hastened["nextRunAt"] < shown["nextRunAt"]
    await api("POST", f"{where}/cancel", key)
    (await api("POST", f"{where}/pause", key)).problem(409, "enrollment_ended")


async def test_a_list_goes_on_where_the_page_before_ended(api: Api) -> None:
    key = await api.key()
    ids = await _enrolled(api, key, "ana", "bia", "cid")
    await api("POST", f"/v1/enrollments/{ids[1]}/pause", key)

    seen, cursor = [], ""
    while True:
        page = (await api("GET", f"/v1/enrollments?limit=2{cursor}", key)).fine()
        seen += [each["contactId"] for each in page["enrollments"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert sorted(seen) == ["ana", "bia", "cid"]

    async def counted(query: str) -> int:
        return int((await api("GET", f"/v1/enrollment-count?{query}", key)).fine()["count"])

    assert await counted("cadenceKey=welcome") == 3
    assert await counted("status=paused&status=cancelled") == 1
    assert await counted("contactId=ana&status=active") == 1
    assert await counted("dueBefore=2020-01-01T00:00:00Z") == 0
    assert await counted("startedAfter=2020-01-01T00:00:00%2B02:00") == 3
    (await api("GET", "/v1/enrollments?cadenceKey=nothing", key)).problem(404, "cadence_not_found")
    for cursor in ("x", "W10", "WyJkdWUiLCJ4IiwieSJd"):
        (await api("GET", f"/v1/enrollments?cursor={cursor}", key)).problem(400, "bad_cursor")


async def test_all_that_are_chosen_are_cancelled_with_a_count_first(api: Api) -> None:
    key = await api.key()
    ids = await _enrolled(api, key, "ana", "bia", "cid")
    await api("POST", f"/v1/enrollments/{ids[0]}/pause", key)
    order: dict[str, Any] = {"operation": "pause", "choice": {"cadenceKey": "welcome"}, "reason": "typo"}

    dry = (await api("POST", "/v1/enrollment-orders", key, json={**order, "dryRun": True})).fine()
    assert (dry["counted"], dry["done"]) == (3, 0)
    done = (await api("POST", "/v1/enrollment-orders", key, json=order)).fine()
    assert (done["done"], done["left"], done["next"]) == (2, {"already": 1}, None)
    again = (await api("POST", "/v1/enrollment-orders", key, json=order)).fine()
    assert (again["done"], again["left"]) == (0, {"already": 3})


@pytest.mark.parametrize(
    "order",
    [
        {"operation": "cancel", "choice": {}},
        {"operation": "skip", "choice": {"status": ["active"]}},
        {"operation": "dance", "choice": {"status": ["active"]}},
        {"operation": "cancel", "choice": {"dueBefore": "yesterday"}},
    ],
)
async def test_an_order_that_is_not_whole_is_refused(api: Api, order: dict[str, Any]) -> None:
    (await api("POST", "/v1/enrollment-orders", await api.key(), json=order)).problem(422, "invalid_request")


async def test_many_are_enrolled_with_an_answer_for_each_and_the_same_again(api: Api) -> None:
    key = await api.key()
    await _enrolled(api, key, "ana")
    await api.known(*(f"c{n}" for n in range(2500)))
    rows = [{"contactId": f"c{n}"} for n in range(2500)] + [{"contactId": "ana"}, {"contactId": "nobody"}, {"x": 1}]
    sent = "\n".join(json.dumps(row) for row in rows)
    headers = {"Content-Type": NDJSON, "Idempotency-Key": "monday"}

    said = await api("POST", "/v1/cadences/welcome/enrollments", key, data=sent, headers=headers)

    assert said.headers["Content-Type"] == NDJSON
    assert said.headers["X-Request-ID"]
    answers = [json.loads(line) for line in said.fine().splitlines()]
    assert [each["row"] for each in answers] == list(range(1, 2504))
    assert {each["outcome"] for each in answers[:2500]} == {"created"}
    assert [each["outcome"] for each in answers[2500:]] == ["already_active", "refused", "invalid"]
    assert answers[2501]["reason"] == "contact_not_found"
    again = await api("POST", "/v1/cadences/welcome/enrollments", key, data=sent, headers=headers)
    assert again.fine() == said.body


async def test_what_stands_against_all_rows_is_told_by_the_status(api: Api) -> None:
    key = await api.key()
    await _enrolled(api, key, "ana")
    where = "/v1/cadences/welcome/enrollments"
    as_csv = {"Content-Type": "text/csv", "Idempotency-Key": "one"}
    (await api("POST", where, key, data="name\nana", headers=as_csv)).problem(422, "invalid_csv")
    assert "already_active" in (await api("POST", where, key, data="contactId\nana\n", headers=as_csv)).fine()
    (await api("POST", "/v1/cadences/nothing/enrollments", key, data="contactId\nana", headers=as_csv)).problem(
        404, "cadence_not_found"
    )
    (await api("POST", where, key, data="x", headers={"Content-Type": "text/csv"})).problem(422, "invalid_request")
    (await api("POST", where, key, json=[], headers={"Idempotency-Key": "one"})).problem(415, "unsupported_media_type")


async def test_a_failure_in_the_middle_is_the_last_line(api: Api) -> None:
    key = await api.key()
    await _enrolled(api, key, "ana")
    rows = "\n".join(json.dumps({"contactId": f"c{n}"}) for n in range(1000)).encode() + b"\n"

    async def content() -> Any:
        yield rows
        # Until the first page is being answered, which nobody tells us.
        while not await api.pool.fetchval("SELECT count(*) FROM idempotency_keys"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await api.pool.execute("ALTER TABLE idempotency_keys RENAME TO gone")
        yield b'{"contactId": "ana"}\n'

    headers = {"Content-Type": NDJSON, "Idempotency-Key": "one"}
    said = await api("POST", "/v1/cadences/welcome/enrollments", key, data=content(), headers=headers)
    last = json.loads(said.fine().splitlines()[-1])
    assert (last["code"], last["requestId"]) == ("internal_error", said.headers["X-Request-ID"])


async def test_a_contact_is_erased(api: Api) -> None:
    key = await api.key()
    (one,) = await _enrolled(api, key, "ana")
    erased = await api("POST", "/v1/contacts/ana/erase", key, json={"reason": "asked to"})
    assert erased.fine() == {"cancelled": 1, "letters": 0}
    about = (await api("GET", "/v1/contacts/ana", key)).fine()
    assert (about["contact"]["erased"], about["contact"]["name"], about["contact"]["phone"]) == (True, None, None)
    assert (await api("GET", f"/v1/enrollments/{one}", key)).fine()["cancelReason"] == "contact_deleted"
    (await api("POST", "/v1/contacts/nobody/erase", key, json={"reason": "x"})).problem(404, "contact_not_found")
    (await api("POST", "/v1/contacts/ana/erase", key, json={})).problem(422, "invalid_request")


async def test_who_is_on_the_way_is_moved_to_another_version(api: Api) -> None:
    key = await api.key()
    (one,) = await _enrolled(api, key, "ana")
    step = {"key": "earlier", "wait": "PT1H", "template": {"id": "hello_0"}}
    await api.published(key, steps=[step, *DEFINITION["steps"]])
    where = "/v1/cadences/welcome/move-enrollments"

    dry = (await api("POST", where, key, json={"from": 1, "dryRun": True})).fine()
    assert [(each["stepKey"], each["waiting"], each["fate"], each["never"]) for each in dry["fates"]] == [
        ("hello", 1, "kept", ["earlier"])
    ]
    assert (await api("GET", f"/v1/enrollments/{one}", key)).fine()["version"] == 1
    assert (await api("POST", where, key, json={"from": 1, "reason": "typo"})).fine()["fates"] == dry["fates"]
    moved = (await api("GET", f"/v1/enrollments/{one}", key)).fine()
    assert (moved["version"], moved["stepKey"]) == (2, "hello")
    assert (await api("POST", where, key, json={"from": 1})).fine()["fates"] == []
    (await api("POST", where, key, json={"from": 2})).problem(409, "same_version")
    (await api("POST", where, key, json={"from": 3})).problem(404, "version_not_found")


async def test_a_company_is_erased_only_by_its_own_name(api: Api) -> None:
    key = await api.key()
    await _enrolled(api, key, "ana")
    wrong = {"companyId": "other", "reason": "test"}
    (await api("POST", "/v1/company/erase", key, json=wrong)).problem(409, "another_company")
    assert (await api("GET", "/v1/halts", key)).fine()["inForce"] == []
    begun = (await api("POST", "/v1/company/erase", key, json={**wrong, "companyId": "acme"})).fine()
    assert begun["finishedAt"] is None
    assert (await api("GET", "/v1/halts", key)).fine()["inForce"][0]["reason"] == "the company was deleted"


async def test_what_a_fault_has_parked_goes_on_once_somebody_says_so(api: Api) -> None:
    key = await api.key()
    (one,) = await _enrolled(api, key, "ana")
    await _park(api, one)
    where = "/v1/cadences/welcome"
    told = (await api("POST", f"/v1/enrollments/{one}/run-now", key)).problem(409, "enrollment_parked")
    assert "/unpark" in told["remedy"]

    looked = (await api("POST", f"{where}/unpark", key)).fine()
    assert (looked["lookedAt"], looked["goingOn"]) == (1, 1)
    assert (await api("GET", f"/v1/enrollments/{one}", key)).fine()["status"] == "active"

    await _park(api, one)
    await api.pool.execute("UPDATE contacts SET phone = NULL")
    assert (await api("POST", f"{where}/unpark", key)).fine()["goingOn"] == 0
    assert (await api("GET", f"/v1/enrollments/{one}", key)).fine()["parkReason"] == "unreachable"
    (await api("POST", f"{where}/pause", key)).fine()
    (await api("POST", f"{where}/unpark", key)).problem(409, "cadence_not_active")
    (await api("POST", "/v1/cadences/nothing/unpark", key)).problem(404, "cadence_not_found")


async def test_versions_are_listed_with_who_is_in_them(api: Api) -> None:
    key = await api.key()
    await _enrolled(api, key, "ana", "bia")
    await api.published(key, name="Warm welcome")
    versions = (await api("GET", "/v1/cadences/welcome/versions", key)).fine()["versions"]
    assert [(each["version"], each["live"]) for each in versions] == [(2, 0), (1, 2)]
    assert all(each["actor"].startswith("api-key:") for each in versions)
    (await api("GET", "/v1/cadences/nothing/versions", key)).problem(404, "cadence_not_found")


async def _park(api: Api, enrollment_id: str) -> None:
    """As a fault of the program does."""
    await api.pool.execute(
        """
        UPDATE cadence_enrollments
        SET status = 'parked', park_reason = 'internal_error', park_detail = 'a fault', parked_knowing = ''
        WHERE enrollment_id = $1
        """,
        UUID(enrollment_id),
    )
