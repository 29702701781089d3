"""A paused cadence: nothing is sent, nothing is lost, nobody slips in, and going on is no burst."""

import asyncio
import itertools
from datetime import timedelta

from cadence_engine.domain.cadence import CadenceVersion, Wait
from cadence_engine.domain.enroll import EnrollRequest
from cadence_engine.domain.events import Cause
from cadence_engine.domain.spread import WELL_APART
from cadence_engine.handlers.cadence_status import move_unsettled, pause_cadence, resume_cadence
from cadence_engine.handlers.enroll import enroll
from cadence_engine.handlers.unpark import recheck_parked
from cadence_engine.storage.database import UnitOfWork, run
from tests.handlers.conftest import ACME, NAME, Stage, definition

PHONE = "+5511999990000"


async def test_the_flag_holds_at_once_before_any_enrollment_is_moved(stage: Stage) -> None:
    await stage.publish(definition())
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    await _pause(stage)
    assert (await stage.run_due()).claimed == 0
    await stage.hears("contact.created", contactId="bia", phone=PHONE)
    assert await stage.statuses("bia") == []


async def test_each_keeps_the_rest_of_its_wait_and_nothing_bursts(stage: Stage) -> None:
    await stage.publish(definition(waits=[Wait(exact=timedelta(hours=2))]))
    for contact in ("ana", "bia"):
        await stage.hears("contact.created", contactId=contact, phone=PHONE)
    await stage.pool.execute(
        "UPDATE cadence_enrollments SET next_run_at = now() + interval '1 hour' WHERE contact_id = 'bia'"
    )
    await _pause(stage)
    await _settle(stage)
    assert (await stage.statuses("ana"), await stage.statuses("bia")) == (["paused"], ["paused"])
    # A day passes: both would be long overdue.
    await stage.pool.execute("UPDATE cadences SET status_at = status_at - interval '1 day'")
    await _resume(stage)
    await _settle(stage)
    assert (await stage.run_due()).claimed == 0
    rows = await stage.pool.fetch("SELECT contact_id, next_run_at - now() AS wait_left FROM cadence_enrollments")
    left = {row["contact_id"]: row["wait_left"] for row in rows}
    assert timedelta(hours=1, minutes=59) < left["ana"] <= timedelta(hours=2)
    assert timedelta(minutes=59) < left["bia"] <= timedelta(hours=1)


async def test_what_was_overdue_goes_one_after_the_other_whoever_moves_it(stage: Stage) -> None:
    """A batch each, and in turns with a worker that knows nothing of the batches before."""
    await stage.publish(definition())
    contacts = [f"c{n}" for n in range(6)]
    for contact in contacts:
        await stage.hears("contact.created", contactId=contact, phone=PHONE)
    await stage.pool.execute("UPDATE cadence_enrollments SET next_run_at = now() - interval '1 hour'")
    await _pause(stage)
    await _settle(stage)
    await _resume(stage)
    resumed_at = await stage.now()
    await asyncio.gather(_settle(stage), _settle(stage))
    rows = await stage.pool.fetch("SELECT next_run_at FROM cadence_enrollments ORDER BY next_run_at")
    due = [row[0] for row in rows]
    assert due[0] >= resumed_at
    assert [later - earlier >= WELL_APART for earlier, later in itertools.pairwise(due)] == [True] * 5
    assert due[-1] < resumed_at + timedelta(seconds=30)

    await _pause(stage)
    assert await stage.pool.fetchval("SELECT free_from FROM cadences") is None


async def test_the_rest_counts_from_the_flag_however_long_the_moving_takes(stage: Stage) -> None:
    await stage.publish(definition(waits=[Wait(exact=timedelta(hours=2))]))
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    await _pause(stage)
    await stage.pool.execute("UPDATE cadences SET status_at = status_at - interval '1 hour'")
    await _settle(stage)
    assert await stage.pool.fetchval("SELECT wait_left > interval '2 hours 59 minutes' FROM cadence_enrollments")


async def test_a_reply_cancels_a_paused_enrollment(stage: Stage) -> None:
    await stage.publish(definition())
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    await _pause(stage)
    await _settle(stage)
    await stage.hears("message.received", contactId="ana")
    assert await stage.statuses() == ["cancelled"]


async def test_what_is_parked_stays_so_while_its_cadence_is_paused(stage: Stage) -> None:
    await stage.publish(definition(variables=NAME, waits=[Wait()]))
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    await stage.run_due()
    await _pause(stage)
    await _settle(stage)
    await stage.hears("contact.updated", contactId="ana", name="Ana")
    assert await stage.statuses() == ["parked"]
    await _resume(stage)
    await _settle(stage)
    assert (await run(stage.pool, recheck_parked))[0] == 1
    assert (await stage.run_due()).sent == 1


async def test_an_enroll_under_way_is_not_missed_by_a_pause(stage: Stage) -> None:
    """Had the pause not waited for it, it would be active in a cadence that is confirmed as paused."""
    cadence = await stage.publish(definition(trigger="api", waits=[Wait(days=1)]))
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    decided, go_on = asyncio.Event(), asyncio.Event()
    request = await _request(stage, cadence)

    async def slow_enroll(unit: UnitOfWork) -> None:
        await enroll(unit, [request], stage.policy)
        decided.set()
        await go_on.wait()

    async def pause_and_settle() -> None:
        await _pause(stage)
        await _settle(stage)

    enrolling = asyncio.create_task(run(stage.pool, slow_enroll))
    await decided.wait()
    pausing = asyncio.create_task(pause_and_settle())
    await asyncio.wait({pausing}, timeout=0.5)
    go_on.set()
    await asyncio.gather(enrolling, pausing)
    assert await stage.statuses() == ["paused"]


async def _request(stage: Stage, cadence: CadenceVersion) -> EnrollRequest:
    now = await stage.now()
    return EnrollRequest(ACME, cadence.cadence_id, "ana", "api", now, Cause(actor="x"), cadence.cadence_id)


async def _pause(stage: Stage, key: str = "onboarding") -> None:
    await run(stage.pool, lambda unit: pause_cadence(unit, ACME, key, actor="olga", reason="stop"))


async def _resume(stage: Stage, key: str = "onboarding") -> None:
    await run(stage.pool, lambda unit: resume_cadence(unit, ACME, key, actor="olga", reason="go on"))


async def _settle(stage: Stage) -> None:
    moved = (await run(stage.pool, lambda unit: move_unsettled(unit, 1)))[0]
    while moved is not None and not moved.settled:
        moved = (await run(stage.pool, lambda unit: move_unsettled(unit, 1)))[0]
