"""Claiming and running: the gate, parking, ordering, isolation of failures."""

import asyncio
from datetime import datetime, timedelta

import pytest

from cadence_engine.domain.cadence import Lookup, Source, Wait
from cadence_engine.domain.cancel import CancelReason, cancel
from cadence_engine.domain.events import Cause
from cadence_engine.domain.gate import Held
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.apply import apply
from cadence_engine.handlers.due_steps import run_due_steps
from cadence_engine.handlers.unpark import recheck_parked, retry_parked
from cadence_engine.storage.database import UnitOfWork, run
from cadence_engine.storage.enrollments import claim
from cadence_engine.storage.enrollments.save import StaleDecisionError
from tests.handlers.conftest import ACME, NAME, Stage, definition

PHONE = "+5511999990000"


async def test_a_step_waits_until_replies_up_to_its_due_time_are_applied(stage: Stage) -> None:
    await stage.publish(definition())
    before = await stage.now()
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    await stage.pool.execute("UPDATE reply_gate SET watermark = $1", before)
    held_back = await stage.run_due(open_gate=False)
    assert (held_back.claimed, held_back.held) == (0, None)
    assert (await stage.run_due()).sent == 1


async def test_nothing_is_decided_while_replies_are_behind(stage: Stage) -> None:
    await stage.publish(definition())
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    await stage.pool.execute("UPDATE reply_gate SET watermark = clock_timestamp() - interval '6 s'")
    assert (await stage.run_due(open_gate=False)).held is Held.REPLIES_BEHIND


async def test_nothing_is_decided_while_the_relay_is_stuck(stage: Stage) -> None:
    await stage.publish(definition())
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    await stage.pool.execute("UPDATE event_batches SET logged_at = logged_at - interval '11 s'")
    assert (await stage.run_due()).held is Held.RELAY_STUCK
    await stage.pool.execute("UPDATE event_batches SET published_at = now()")
    assert (await stage.run_due()).sent == 1


async def test_a_watermark_ahead_of_the_clock_holds(stage: Stage) -> None:
    await stage.pool.execute("UPDATE reply_gate SET watermark = clock_timestamp() + interval '1 minute'")
    assert (await stage.run_due(open_gate=False)).held is Held.WATERMARK_AHEAD


async def test_a_missing_variable_parks_and_the_others_go_on(stage: Stage) -> None:
    await stage.publish(definition(variables=NAME, waits=[Wait()]))
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    await stage.hears("contact.created", contactId="bia", name="Bia", phone=PHONE)
    ran = await stage.run_due()
    assert (ran.claimed, ran.sent, ran.parked) == (2, 1, 1)
    assert await stage.statuses("bia") == ["completed"]
    (parked,) = await stage.log("cadence.enrollment.parked")
    assert parked["reason"] == "missing_variable"
    assert "contactName needs contact.name" in parked["detail"]

    await stage.hears("contact.updated", contactId="ana", name="Ana")
    assert (await stage.run_due()).sent == 1
    assert await stage.statuses("ana") == ["completed"]


@pytest.mark.parametrize("direction", ["outbound", "inbound"])
async def test_a_contact_without_phone_or_conversation_parks_until_it_has_one(stage: Stage, direction: str) -> None:
    await stage.publish(definition(waits=[Wait()], cancel_on_reply=False))
    await stage.hears("contact.created", contactId="ana")
    assert (await stage.run_due()).parked == 1
    (parked,) = await stage.log("cadence.enrollment.parked")
    assert parked["reason"] == "unreachable"
    await stage.hears("message.received", contactId="ana", conversationId="c1", direction=direction)
    await stage.run_due()
    (send,) = await stage.log("whatsapp.send.requested")
    assert (send["to"], send["conversationId"]) == (None, "c1")


async def test_looking_again_in_vain_says_nothing(stage: Stage) -> None:
    await stage.publish(definition(variables=NAME, waits=[Wait()]))
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    await stage.run_due()
    await stage.hears("contact.updated", contactId="ana", phone="+5511999990001")
    assert await stage.statuses() == ["parked"]
    assert await stage.log("cadence.enrollment.resumed") == []
    assert (await run(stage.pool, recheck_parked))[0] == 0


async def test_a_contact_that_changes_while_its_enrollment_is_being_parked_is_found_again(stage: Stage) -> None:
    """The claim has read the old contact and not committed yet: the change finds nothing parked."""
    await stage.publish(definition(waits=[Wait()]))
    await stage.hears("contact.created", contactId="ana")
    await stage.pool.execute("UPDATE reply_gate SET watermark = clock_timestamp()")
    read, changed = asyncio.Event(), asyncio.Event()

    async def slow_claim(unit: UnitOfWork) -> None:
        assert (await run_due_steps(unit, stage.policy)).parked == 1
        read.set()
        await changed.wait()

    claiming = asyncio.create_task(run(stage.pool, slow_claim))
    await read.wait()
    await stage.hears("contact.updated", contactId="ana", phone=PHONE)
    changed.set()
    await claiming
    assert await stage.statuses() == ["parked"]

    assert (await run(stage.pool, recheck_parked))[0] == 1
    assert (await stage.run_due()).sent == 1


async def test_what_a_company_or_lead_lacks_is_found_again_too(stage: Stage) -> None:
    variables = {"shop": Lookup(Source.COMPANY, "name"), "board": Lookup(Source.LEAD, "boardId")}
    await stage.publish(definition(trigger="lead.created", variables=variables, waits=[Wait()]))
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    await stage.hears("lead.created", leadId="l1", contactId="ana")
    assert (await stage.run_due()).parked == 1
    await stage.hears("company.updated", name="Acme Ltd")
    assert (await run(stage.pool, recheck_parked))[0] == 1
    assert await stage.statuses() == ["parked"]
    await stage.hears("lead.created", leadId="l1", boardId="b1", contactId="ana")
    assert (await run(stage.pool, recheck_parked))[0] == 1
    await stage.run_due()
    (send,) = await stage.log("whatsapp.send.requested")
    assert send["template"]["variables"] == {"shop": "Acme Ltd", "board": "b1"}


async def test_a_row_that_always_fails_is_parked_once_and_the_others_go_on(stage: Stage) -> None:
    await stage.publish(definition(waits=[Wait()]))
    for contact in ("ana", "bia", "caio"):
        await stage.hears("contact.created", contactId=contact, phone=PHONE)
    # A fault that no validation allows: a context that is not an object any more.
    await stage.publish(definition(key="broken", waits=[Wait()], variables={"x": Lookup(Source.CONTEXT, "x")}))
    await stage.hears("contact.created", contactId="duda", phone=PHONE)
    await stage.pool.execute("UPDATE cadence_enrollments SET context = '[]' WHERE contact_id = 'duda'")
    ran = await stage.run_due()
    assert (ran.claimed, ran.parked) == (5, 1)
    assert (await stage.run_due()).claimed == 0
    (parked,) = await stage.log("cadence.enrollment.parked")
    assert (parked["contactId"], parked["reason"]) == ("duda", "internal_error")


async def test_an_operator_takes_up_what_a_fault_has_parked(stage: Stage) -> None:
    cadence = await stage.publish(definition(waits=[Wait()], variables={"x": Lookup(Source.CONTEXT, "x")}))
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    await stage.pool.execute("UPDATE cadence_enrollments SET context = '[]'")
    assert (await stage.run_due()).parked == 1
    await stage.pool.execute("""UPDATE cadence_enrollments SET context = '{"x": "mended"}'""")
    assert (await run(stage.pool, recheck_parked))[0] == 0  # an internal error is for people to look at
    retry = await run(stage.pool, lambda unit: retry_parked(unit, ACME, cadence.cadence_id, after=None, actor="olga"))
    assert retry[0].going_on == 1
    assert (await stage.run_due()).sent == 1
    (resumed,) = await stage.log("cadence.enrollment.resumed")
    assert resumed["actor"] == "olga"


async def test_what_is_still_missing_is_told_anew(stage: Stage) -> None:
    await stage.publish(definition(variables=NAME, waits=[Wait()]))
    await stage.hears("contact.created", contactId="ana")
    await stage.run_due()
    await stage.hears("contact.updated", contactId="ana", name="Ana")
    assert [parked["reason"] for parked in await stage.log("cadence.enrollment.parked")] == [
        "missing_variable",
        "unreachable",
    ]


async def test_workers_share_a_backlog_and_nothing_runs_twice(stage: Stage) -> None:
    stage.policy = Policy(claim_rows=25)
    await stage.publish(definition(waits=[Wait()]))
    at = await stage.now()
    await stage.receive(*(stage.event("contact.created", at=at, contactId=f"c{n}", phone=PHONE) for n in range(300)))
    ran = await asyncio.gather(*(stage.run_due() for _ in range(16)))
    while (more := await stage.run_due()).claimed:
        ran.append(more)
    assert sum(batch.sent for batch in ran) == 300
    sends = await stage.log("whatsapp.send.requested")
    assert len({send["contactId"] for send in sends}) == len(sends) == 300


async def test_the_longest_due_goes_first(stage: Stage) -> None:
    stage.policy = Policy(claim_rows=1)
    await stage.publish(definition(waits=[Wait()]))
    for contact in ("first", "second"):
        await stage.hears("contact.created", contactId=contact, phone=PHONE)
    await stage.run_due()
    (send,) = await stage.log("whatsapp.send.requested")
    assert send["contactId"] == "first"


async def test_the_send_says_when_it_was_due_and_when_it_expires(stage: Stage) -> None:
    await stage.publish(definition(waits=[Wait()]))
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    await stage.run_due()
    (send,) = await stage.log("whatsapp.send.requested")
    due, requested, expires = (datetime.fromisoformat(send[f]) for f in ("dueAt", "requestedAt", "expiresAt"))
    assert due <= requested
    assert expires - requested == timedelta(hours=1)
    assert send["template"]["language"] == "pt_BR"


async def test_an_enrollment_behind_its_last_step_completes(stage: Stage) -> None:
    await stage.publish(definition(waits=[Wait()]))
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    await stage.pool.execute("UPDATE cadence_enrollments SET step_index = 7")
    assert (await stage.run_due()).completed == 1
    assert await stage.log("whatsapp.send.requested") == []


async def test_a_decision_on_an_outdated_revision_is_not_written(stage: Stage) -> None:
    await stage.publish(definition(waits=[Wait()]))
    await stage.hears("contact.created", contactId="ana", phone=PHONE)

    async def stale(unit: UnitOfWork) -> None:
        ((enrollment, _),) = await claim.due(unit.connection, unit.now, 1)
        await unit.connection.execute("UPDATE cadence_enrollments SET revision = revision + 1")
        await apply(unit, [cancel(enrollment, CancelReason.OPERATOR, Cause(actor="x"), unit.now)])

    with pytest.raises(StaleDecisionError):
        await run(stage.pool, stale)
    assert await stage.statuses() == ["active"]
