"""For one enrollment the log's order is the order of the commits."""

import asyncio
from datetime import timedelta

from cadence_engine.domain.cadence import Wait
from cadence_engine.handlers.due_steps import run_due_steps
from cadence_engine.storage.database import UnitOfWork, run
from tests.handlers.conftest import Stage, definition


async def test_a_reply_that_waits_for_a_step_under_way_is_logged_behind_it(stage: Stage) -> None:
    """An id drawn before the locks would put the cancellation before the step that it waited for."""
    await stage.publish(definition(waits=[Wait(), Wait(days=1)]))
    created_at = await stage.now()
    await stage.hears("contact.created", at=created_at, contactId="ana", phone="+5511999990000")
    await stage.pool.execute("UPDATE reply_gate SET watermark = clock_timestamp()")
    claimed, waiting = asyncio.Event(), asyncio.Event()

    async def slow_step(unit: UnitOfWork) -> None:
        assert (await run_due_steps(unit, stage.policy)).sent == 1
        claimed.set()
        await waiting.wait()

    step = asyncio.create_task(run(stage.pool, slow_step))
    await claimed.wait()
    at = created_at + timedelta(seconds=1)
    reply = asyncio.create_task(stage.hears("message.received", at=at, contactId="ana"))
    await _somebody_waits_for_a_lock(stage)
    waiting.set()
    await asyncio.gather(step, reply)

    told = [(event["type"], event.get("revision")) for event in await stage.log()]
    assert told == [
        ("cadence.enrollment.started", 1),
        ("whatsapp.send.requested", None),
        ("cadence.step.executed", 2),
        ("cadence.enrollment.cancelled", 3),
    ]


async def _somebody_waits_for_a_lock(stage: Stage) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(5):
        while not await stage.pool.fetchval(waiting):
            pass
