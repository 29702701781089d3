"""Replies, opt-outs, deletions and operators: what ends a passage."""

import asyncio
import uuid
from datetime import datetime, timedelta

from cadence_engine.domain.cadence import Literally, Lookup, Source, Variable, Wait
from cadence_engine.domain.enroll import Enrolled
from cadence_engine.domain.operate import Cancel, Left
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.operate import Done, LeftAsIs, NotFound, Order, Outcome, operate_on
from cadence_engine.storage.database import run
from tests.handlers.conftest import ACME, NAME, Stage, definition

LATER = [Wait(days=1)]


async def test_a_reply_cancels_every_live_enrollment_and_says_which_message(stage: Stage) -> None:
    await stage.publish(definition(key="one", waits=LATER))
    await stage.publish(definition(key="two", waits=LATER))
    await stage.hears("contact.created", contactId="ana")
    await stage.hears("message.received", contactId="ana", messageId="m1", id_="reply")
    assert await stage.statuses() == ["cancelled", "cancelled"]
    for event in await stage.log("cadence.enrollment.cancelled"):
        assert (event["reason"], event["messageId"]) == ("replied", "m1")
        assert event["cause"] == {"source": "/crm", "id": "reply"}


async def test_an_outbound_message_is_no_reply(stage: Stage) -> None:
    await stage.publish(definition(waits=LATER))
    await stage.hears("contact.created", contactId="ana")
    await stage.hears("message.received", contactId="ana", direction="outbound")
    assert await stage.statuses() == ["active"]


async def test_an_older_message_read_late_is_no_reply(stage: Stage, long_ago: datetime) -> None:
    await stage.publish(definition(waits=LATER))
    await stage.hears("contact.created", contactId="ana")
    await stage.hears("message.received", at=long_ago, contactId="ana")
    assert await stage.statuses() == ["active"]


async def test_a_message_within_the_grace_is_no_reply_and_one_beyond_is(stage: Stage) -> None:
    await stage.publish(definition(waits=LATER, grace=timedelta(minutes=5)))
    at = await stage.now()
    await stage.hears("contact.created", at=at, contactId="ana")
    await stage.hears("message.received", at=at + timedelta(minutes=4, seconds=59), contactId="ana")
    assert await stage.statuses() == ["active"]
    await stage.hears("message.received", at=at + timedelta(minutes=5), contactId="ana")
    assert await stage.statuses() == ["cancelled"]


async def test_a_cadence_may_go_on_after_a_reply(stage: Stage) -> None:
    await stage.publish(definition(waits=LATER, cancel_on_reply=False))
    await stage.hears("contact.created", contactId="ana")
    await stage.hears("message.received", contactId="ana")
    assert await stage.statuses() == ["active"]


async def test_a_foreign_lead_or_conversation_never_stops_a_reply(stage: Stage) -> None:
    await stage.hears("message.received", companyId="globex", contactId="gil", conversationId="c1")
    await stage.publish(definition(waits=LATER))
    await stage.hears("contact.created", contactId="ana")
    await stage.hears("message.received", contactId="ana", conversationId="c1", leadId="of-nobody")
    assert await stage.statuses() == ["cancelled"]


async def test_a_reply_that_races_an_enroll_always_wins(stage: Stage) -> None:
    """Either the reply finds the enrollment and cancels it, or the enroll finds the reply and refuses."""
    cadence = await stage.publish(definition(trigger="api", waits=LATER))
    contacts = [f"contact-{n}" for n in range(40)]
    for contact in contacts:
        await stage.hears("contact.created", contactId=contact)
    triggered_at = await stage.now()
    reply_at = triggered_at + timedelta(milliseconds=1)

    async def race(contact: str) -> None:
        await asyncio.gather(
            stage.enroll(cadence, contact, triggered_at=triggered_at),
            stage.hears("message.received", at=reply_at, contactId=contact),
        )

    await asyncio.gather(*map(race, contacts))
    for contact in contacts:
        assert await stage.statuses(contact) in ([], ["cancelled"])


async def test_opting_out_cancels_whatever_is_live(stage: Stage) -> None:
    await stage.publish(definition(waits=LATER, cancel_on_reply=False))
    await stage.hears("contact.created", contactId="ana")
    await stage.hears("contact.preferences.changed", contactId="ana", marketing="stop")
    assert await stage.statuses() == ["cancelled"]
    (cancelled,) = await stage.log("cadence.enrollment.cancelled")
    assert cancelled["reason"] == "opted_out"


async def test_an_older_preference_changes_nothing(stage: Stage, long_ago: datetime) -> None:
    await stage.publish(definition(waits=LATER))
    await stage.hears("contact.preferences.changed", contactId="ana", marketing="resume")
    await stage.hears("contact.created", contactId="ana")
    await stage.hears("contact.preferences.changed", at=long_ago, contactId="ana", marketing="stop")
    assert await stage.statuses() == ["active"]


async def test_erasing_cancels_and_leaves_no_personal_data(stage: Stage) -> None:
    variables: dict[str, Variable] = {**NAME, "product": Lookup(Source.CONTEXT, "product"), "bye": Literally("bye")}
    await stage.publish(
        definition(key="upsell", trigger="purchase.completed", variables=variables, waits=[Wait(), Wait(days=1)])
    )
    phone = "+5511999990000"
    await stage.hears("contact.created", contactId="ana", name="Ana Souza", phone=phone, tags=["vip"])
    await stage.hears("purchase.completed", contactId="ana", purchaseId="p1", product="Secret Thing")
    await stage.run_due()
    assert len(await stage.log("whatsapp.send.requested")) == 1

    await stage.hears("contact.deleted", contactId="ana")
    assert await stage.statuses() == ["cancelled"]
    everything = await _all_rows(stage)
    for secret in (phone, "Ana Souza", "Secret Thing", "vip"):
        assert secret not in everything


async def test_a_send_that_is_not_published_yet_becomes_a_skipped_step_and_keeps_its_id(stage: Stage) -> None:
    await stage.publish(definition(waits=[Wait(), Wait(days=1)]))
    await stage.hears("contact.created", contactId="ana", name="Ana", phone="+5511999990000")
    await stage.run_due()
    event_id = await stage.pool.fetchval("SELECT event_id FROM cadence_events WHERE type = 'whatsapp.send.requested'")
    await stage.hears("contact.deleted", contactId="ana")
    assert await stage.log("whatsapp.send.requested") == []
    (skipped,) = await stage.log("cadence.step.skipped")
    assert (skipped["reason"], skipped["stepKey"], skipped["revision"]) == ("erased", "step-1", 2)
    assert event_id == await stage.pool.fetchval(
        "SELECT event_id FROM cadence_events WHERE type = 'cadence.step.skipped'"
    )
    (executed,) = await stage.log("cadence.step.executed")
    assert (executed["sendId"], executed["stepKey"], executed["revision"]) == (str(event_id), "step-1", 2)


async def test_what_is_newer_than_a_deletion_survives_it(stage: Stage) -> None:
    await stage.publish(definition(waits=LATER))
    deleted_at = await stage.now() - timedelta(minutes=1)
    await stage.hears("contact.created", contactId="ana", name="Ana")
    await stage.hears("contact.deleted", at=deleted_at, contactId="ana")
    assert await stage.statuses() == ["active"]
    assert await stage.pool.fetchval("SELECT name FROM contacts") == "Ana"


async def test_an_erase_that_races_an_enroll_leaves_nothing_live(stage: Stage) -> None:
    cadence = await stage.publish(definition(trigger="api", waits=LATER))
    contacts = [f"contact-{n}" for n in range(30)]
    for contact in contacts:
        await stage.hears("contact.created", contactId=contact)
    deleted_at = await stage.now()
    await asyncio.gather(
        *(stage.enroll(cadence, contact) for contact in contacts),
        *(stage.hears("contact.deleted", at=deleted_at, contactId=contact) for contact in contacts),
    )
    for contact in contacts:
        assert await stage.statuses(contact) in ([], ["cancelled"])


async def test_cancelling_is_scoped_to_the_company_and_idempotent(stage: Stage) -> None:
    cadence = await stage.publish(definition(trigger="api", waits=LATER))
    await stage.hears("contact.created", contactId="ana")
    outcome = await stage.enroll(cadence, "ana")
    assert isinstance(outcome, Enrolled)
    enrollment_id = outcome.decision.enrollment.enrollment_id
    assert await _cancel(stage, "globex", enrollment_id) == NotFound()
    assert await _cancel(stage, ACME, uuid.uuid4()) == NotFound()
    assert isinstance(await _cancel(stage, ACME, enrollment_id), Done)
    again = await _cancel(stage, ACME, enrollment_id)
    assert isinstance(again, LeftAsIs)
    assert (again.why, again.enrollment.cancel_reason) == (Left.ALREADY, "operator")
    (told,) = await stage.log("cadence.enrollment.cancelled")
    assert (told["reason"], told["actor"]) == ("operator", "olga")


async def test_a_completed_enrollment_is_not_cancelled(stage: Stage) -> None:
    cadence = await stage.publish(definition(trigger="api", waits=[Wait()]))
    await stage.hears("contact.created", contactId="ana", phone="+5511999990000")
    outcome = await stage.enroll(cadence, "ana")
    assert isinstance(outcome, Enrolled)
    await stage.run_due()
    left = await _cancel(stage, ACME, outcome.decision.enrollment.enrollment_id)
    assert isinstance(left, LeftAsIs)
    assert left.why is Left.ENDED
    assert await stage.statuses() == ["completed"]


async def _cancel(stage: Stage, company: str, enrollment_id: uuid.UUID) -> Outcome | NotFound:
    order = Order(Cancel(), "olga", "asked by phone")
    return (await run(stage.pool, lambda unit: operate_on(unit, company, enrollment_id, order, Policy())))[0]


async def _all_rows(stage: Stage) -> str:
    tables = ["contacts", "contact_tags", "conversations", "leads", "cadence_enrollments", "cadence_events"]
    rows = [await stage.pool.fetch(f"TABLE {table}") for table in tables]
    return str([[dict(row) for row in table] for table in rows])
