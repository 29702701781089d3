"""What comes in pages and batches goes on from its cursor, and from no other's."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

from tests.api.conftest import DEFINITION, OTHER, Api

MANY = 501  # one more than a batch
NDJSON = {"Content-Type": "application/x-ndjson", "Idempotency-Key": "one"}
ORDERS = "/v1/enrollment-orders"
WELCOME = "/v1/cadences/welcome"


async def _many(api: Api) -> str:
    """A key of a company with as many enrollments."""
    key = await api.key()
    await api.published(key)
    contacts = [f"c{n}" for n in range(MANY)]
    await api.known(*contacts)
    rows = "\n".join(json.dumps({"contactId": contact}) for contact in contacts)
    (await api("POST", f"{WELCOME}/enrollments", key, data=rows, headers=NDJSON)).fine()
    return key


async def _goes_on(api: Api, key: str, path: str, asked: dict[str, Any]) -> tuple[list[Any], str]:
    """Both batches, and the cursor between them."""
    first = (await api("POST", path, key, json=asked)).fine()
    cursor = first["next"]
    second = (await api("POST", path, key, json={**asked, "cursor": cursor})).fine()
    assert second["next"] is None
    return [first, second], cursor


async def test_a_batch_goes_on_from_the_one_before_and_from_no_other_order(api: Api) -> None:
    key = await _many(api)

    pause = {"operation": "pause", "choice": {"cadenceKey": "welcome"}}
    paused, cursor = await _goes_on(api, key, ORDERS, pause)
    assert [each["done"] for each in paused] == [MANY - 1, 1]
    for other in ({"operation": "cancel"}, {"choice": {"status": ["paused"]}}, {"until": "2100-01-01T00:00:00Z"}):
        told = (await api("POST", ORDERS, key, json={**pause, **other, "cursor": cursor})).problem(400, "bad_cursor")
        assert "begin without one" in told["remedy"]

    await api.pool.execute("UPDATE cadence_enrollments SET held_due_at = now() - interval '1 hour'")
    resume = {"operation": "resume", "choice": {"cadenceKey": "welcome"}, "mode": "catch_up", "perMinute": 600}
    resumed, _ = await _goes_on(api, key, ORDERS, resume)
    assert [each["done"] for each in resumed] == [MANY - 1, 1]
    spread = await api.pool.fetchval("SELECT max(next_run_at) - min(next_run_at) FROM cadence_enrollments")
    assert spread >= (MANY - 1) * timedelta(minutes=1) / 600, "what is overdue is spread over all batches"

    await api.published(key, name="Warm welcome")
    moved, cursor = await _goes_on(api, key, f"{WELCOME}/move-enrollments", {"from": 1, "dryRun": True})
    assert [each["fates"][0]["waiting"] for each in moved] == [MANY - 1, 1]
    really = {"from": 1, "cursor": cursor}
    (await api("POST", f"{WELCOME}/move-enrollments", key, json=really)).problem(400, "bad_cursor")

    await api.pool.execute(
        """
        UPDATE cadence_enrollments
        SET status = 'parked', park_reason = 'internal_error', park_detail = 'a fault', parked_knowing = ''
        """
    )
    unparked, cursor = await _goes_on(api, key, f"{WELCOME}/unpark", {})
    assert [each["goingOn"] for each in unparked] == [MANY - 1, 1]
    await api.published(key, key="goodbye")
    (await api("POST", "/v1/cadences/goodbye/unpark", key, json={"cursor": cursor})).problem(400, "bad_cursor")


async def test_a_page_goes_on_from_the_one_before_and_from_no_other_list(api: Api) -> None:
    key = await api.key()
    await api.published(key)
    await api.known("ana", "bia")
    for contact in ("ana", "bia"):
        asked = {"cadenceKey": "welcome", "contactId": contact}
        enrolled = (await api("POST", "/v1/enrollments", key, json=asked)).fine(201)
        (await api("POST", f"/v1/enrollments/{enrolled['enrollmentId']}/pause", key)).fine()
    of_ana = "/v1/contacts/ana?limit=1"
    lists = ["/v1/enrollments?limit=1", "/v1/enrollments?limit=1&status=paused", of_ana, "/v1/contacts/bia?limit=1"]
    cursors = {each: (await api("GET", each, key)).fine()["next"] for each in lists}

    for each in lists:
        for whose, cursor in cursors.items():
            said = await api("GET", f"{each}&cursor={cursor}", key)
            if each == whose:
                assert said.fine()["next"] != cursor
            else:
                said.problem(400, "bad_cursor")

    stranger = await api.key(OTHER)
    (await api("GET", f"{lists[0]}&cursor={cursors[lists[0]]}", stranger)).problem(400, "bad_cursor")
    (await api("GET", f"/v1/enrollments?limit=7&cursor={cursors[lists[0]]}", key)).fine()
    (await api("GET", f"/v1/enrollments/{uuid4()}/why?cursor={cursors[of_ana]}", key)).problem(400, "bad_cursor")


async def test_letters_go_on_in_their_list_and_in_their_batches(api: Api) -> None:
    key = await _many_letters(api)
    for path in ("/v1/dead-letters?limit=500", "/v1/dead-letters?limit=500&code=no_value"):
        first = (await api("GET", path, key)).fine()
        second = (await api("GET", f"{path}&cursor={first['next']}", key)).fine()
        assert [len(each["letters"]) for each in (first, second)] == [MANY - 1, 1]
        assert second["next"] is None
        told = await api("GET", f"/v1/dead-letters?state=dropped&cursor={first['next']}", key)
        told.problem(400, "bad_cursor")

    replayed, cursor = await _goes_on(api, key, "/v1/dead-letters/replay", {"topic": "contact.created"})
    assert [len(each["stillDead"]) for each in replayed] == [MANY - 1, 1]
    drop = {"topic": "contact.created", "reason": "noise"}
    (await api("POST", "/v1/dead-letters/drop", key, json={**drop, "cursor": cursor})).problem(400, "bad_cursor")
    dropped, _ = await _goes_on(api, key, "/v1/dead-letters/drop", drop)
    assert [each["dropped"] for each in dropped] == [MANY - 1, 1]


async def _many_letters(api: Api) -> str:
    key = await api.key()
    await api.published(key, key=DEFINITION["key"])
    await api.pool.execute(
        """
        INSERT INTO dead_letters (topic, partition, record_offset, record_timestamp, header_names, header_values,
            reason, detail, company_id)
        SELECT 'contact.created', 0, generate_series(1, $1::int), 1, '{}', '{}', 'no_value', 'was wrong', 'acme'
        """,
        MANY,
    )
    return key
