"""Enrolling and cancelling by events, for services that speak only Kafka."""

from datetime import timedelta
from typing import Any

from cadence_engine.domain.cadence import Wait
from cadence_engine.domain.outlook import SoFar
from cadence_engine.handlers.why import why_contact
from tests.handlers.conftest import ACME, Stage, definition

PHONE = "+5511999990000"
IN_A_DAY = [Wait(days=1)]
A_SECOND = timedelta(seconds=1)


async def offer(stage: Stage, *keys: str, **more: Any) -> None:
    for key in keys:
        await stage.publish(definition(key=key, trigger="api", waits=IN_A_DAY, **more))


async def request(stage: Stage, contact_id: str = "ana", key: str = "offer", **more: Any) -> None:
    await stage.hears("enrollment.requested", contactId=contact_id, cadenceKey=key, **more)


async def test_a_contact_is_enrolled_with_what_the_request_says(stage: Stage) -> None:
    await offer(stage, "offer")
    await stage.hears("message.received", contactId="ana", conversationId="c1", direction="outbound")
    for _ in range(2):
        await request(
            stage, id_="r1", leadId="not-known-yet", conversationId="c1", context={"product": "pro", "gone": None}
        )
    (started,) = await stage.log("cadence.enrollment.started")
    assert (started["trigger"], started["cause"]) == ("enrollment.requested", {"source": "/crm", "id": "r1"})
    assert (started["leadId"], started["conversationId"]) == (None, "c1")
    assert await stage.pool.fetchval("SELECT context FROM cadence_enrollments") == {"product": "pro"}


async def test_a_request_may_come_before_its_contact(stage: Stage) -> None:
    await offer(stage, "offer")
    await request(stage, "stranger")
    assert await stage.statuses("stranger") == ["active"]


async def test_who_is_refused_is_in_the_log_with_the_rule(stage: Stage) -> None:
    await offer(stage, "offer")
    await stage.hears("contact.preferences.changed", contactId="ana", marketing="stop")
    await request(stage, id_="r1")
    await request(stage, "bia", key="ofer", id_="r2")
    told = await stage.log("cadence.enrollment.refused")
    assert [(each["contactId"], each["cadenceKey"], each["reason"], each["cause"]["id"]) for each in told] == [
        ("ana", "offer", "opted_out", "r1"),
        ("bia", "ofer", "cadence_not_found", "r2"),
    ]
    assert await stage.statuses("ana") == []


async def test_why_tells_of_a_request_for_a_cadence_that_there_is_not(stage: Stage) -> None:
    await offer(stage, "offer")
    await request(stage, "bia", key="ofer", id_="r1")
    async with stage.pool.acquire() as connection:
        told = await why_contact(connection, ACME, "bia", stage.policy, before=None, rows=10)
    assert told is not None
    (refused,) = told.timeline.happened
    assert refused.data["cause"] == {"source": "/crm", "id": "r1"}
    assert (refused.data["cadenceKey"], refused.data["reason"]) == ("ofer", "cadence_not_found")
    assert [(each.cadence_key, each.so_far) for each in told.outlooks] == [("offer", SoFar.NEVER_TRIGGERED)]


async def test_a_request_that_is_older_than_a_reply_or_a_deletion_starts_nothing(stage: Stage) -> None:
    await offer(stage, "offer")
    before = await stage.now()
    await stage.hears("message.received", contactId="ana")
    await stage.hears("contact.deleted", contactId="bia")
    for contact_id in ("ana", "bia"):
        await request(stage, contact_id, at=before)
    assert [each["reason"] for each in await stage.log("cadence.enrollment.refused")] == ["replied", "contact_erased"]


async def test_many_in_a_page_each_by_itself(stage: Stage) -> None:
    await offer(stage, "offer", "other")
    now = await stage.now()
    asked = [("ana", "offer"), ("bia", "offer"), ("ana", "other"), ("ana", "offer"), ("ana", "none")]
    await stage.receive(
        *(stage.event("enrollment.requested", at=now, contactId=who, cadenceKey=key) for who, key in asked)
    )
    assert (await stage.statuses("ana"), await stage.statuses("bia")) == (["active"] * 2, ["active"])


async def cancelled(stage: Stage) -> list[tuple[str, str]]:
    return [(each["contactId"], each["cadenceKey"]) for each in await stage.log("cadence.enrollment.cancelled")]


async def test_all_of_a_contact_are_cancelled_or_those_of_one_cadence(stage: Stage) -> None:
    await offer(stage, "offer", "other")
    for who in ("ana", "bia"):
        for key in ("offer", "other"):
            await request(stage, who, key)
    await stage.hears("enrollment.cancel.requested", contactId="ana", cadenceKey="other", reason="she called", id_="c1")
    (told,) = await stage.log("cadence.enrollment.cancelled")
    assert (told["cadenceKey"], told["reason"], told["note"], told["actor"]) == (
        "other",
        "requested",
        "she called",
        None,
    )
    assert told["cause"] == {"source": "/crm", "id": "c1"}
    await stage.hears("enrollment.cancel.requested", contactId="bia")
    assert sorted(await cancelled(stage)) == [("ana", "other"), ("bia", "offer"), ("bia", "other")]
    await stage.hears("enrollment.cancel.requested", contactId="bia")
    await stage.hears("enrollment.cancel.requested", contactId="nobody")
    assert len(await cancelled(stage)) == 3


async def test_one_is_cancelled_by_its_id_at_its_own_company_alone(stage: Stage) -> None:
    await offer(stage, "offer", "other")
    await request(stage, key="offer")
    await request(stage, key="other")
    rows = await stage.pool.fetch("SELECT enrollment_id FROM cadence_enrollments ORDER BY started_at")
    other = str(rows[1][0])
    await stage.hears("contact.created", companyId="globex", contactId="ana")
    await stage.hears("enrollment.cancel.requested", companyId="globex", contactId="ana", enrollmentId=other)
    await stage.hears("enrollment.cancel.requested", contactId="ana", enrollmentId=other, cadenceKey="offer")
    assert await cancelled(stage) == []
    await stage.hears("enrollment.cancel.requested", contactId="ana", enrollmentId=other)
    assert await cancelled(stage) == [("ana", "other")]


async def test_what_began_after_the_cancel_was_asked_for_goes_on_unless_it_is_named(stage: Stage) -> None:
    await offer(stage, "offer")
    now = await stage.now()
    await request(stage, at=now)
    await stage.hears("enrollment.cancel.requested", contactId="ana", at=now - A_SECOND)
    assert await stage.statuses() == ["active"]
    named = str(await stage.pool.fetchval("SELECT enrollment_id FROM cadence_enrollments"))
    await stage.hears("enrollment.cancel.requested", contactId="ana", enrollmentId=named, at=now - A_SECOND)
    assert await stage.statuses() == ["cancelled"]


async def test_a_cancel_ends_what_is_paused_or_parked_too(stage: Stage) -> None:
    await stage.publish(definition(key="offer", trigger="api", waits=[Wait()]))
    await request(stage, "ana")
    assert (await stage.run_due()).parked == 1
    await stage.hears("enrollment.cancel.requested", contactId="ana", companyId=ACME)
    assert await stage.statuses() == ["cancelled"]
