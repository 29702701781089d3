"""With Redis, a step runs a fraction of a second after its due time; without it, at the sweep's pace."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from cadence_engine.devstack.valkey import Valkey
from cadence_engine.health import Readiness
from cadence_engine.scheduling.wakeups import Hints
from tests.scheduling.conftest import NEVER, Desk, eventually

pytestmark = pytest.mark.usefixtures("road_is_clear")

SOON = timedelta(seconds=1.5)
PROMPT = timedelta(seconds=0.8)  # on a machine that is busy with other tests; the bucket's end alone may be 0.25 away


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """One of this test alone, to be killed."""
    server = Valkey(tmp_path / "valkey")
    server.start()
    yield server
    server.stop()


async def test_a_step_planned_ahead_runs_when_it_is_due(desk: Desk) -> None:
    await desk.due(3, after=SOON)
    async with desk.worker(sweep_every=NEVER):
        await desk.all_sent(3)
    assert all(timedelta() <= late < PROMPT for late in await desk.lateness())


async def test_what_a_commit_makes_due_is_run_without_planner_or_sweep(desk: Desk) -> None:
    async with desk.worker(sweep_every=NEVER, plan_every=NEVER) as readiness:
        await _settled(readiness)
        await desk.stage.hears("contact.created", contactId="ana", phone="+5511999990000")
        await desk.stage.enroll(desk.version, "ana")
        assert await desk.sent() == 0
        moment = await desk.pool.fetchval("SELECT next_run_at FROM cadence_enrollments")
        await _hint(desk, moment)
        await desk.all_sent(1)


async def test_a_crowd_due_at_one_moment_is_sent_once_each(desk: Desk) -> None:
    await desk.due(500, after=SOON)
    async with desk.worker(sweep_every=NEVER, claim_rows=20), desk.worker(sweep_every=NEVER, claim_rows=20):
        await desk.all_sent(500)


async def test_a_worker_stopped_amid_a_crowd_ends_soon_and_leaves_nothing_half_done(desk: Desk) -> None:
    await desk.due(3000, after=SOON)
    async with desk.worker(claim_rows=5):
        await eventually(desk.sent, lambda sent: sent > 0)
        began = time.monotonic()
    assert time.monotonic() - began < 5
    sent = await desk.sent()
    assert 0 < sent < 3000
    assert await desk.pool.fetchval("SELECT count(*) FROM cadence_enrollments WHERE status = 'completed'") == sent

    async with desk.worker():
        await desk.all_sent(3000)


async def test_valkey_killed_the_sweep_goes_on_and_wakeups_come_back(desk: Desk, valkey: Valkey) -> None:
    own = {"redis_url": SecretStr(valkey.url), "plan_every": 0.2}
    async with desk.worker(**own, sweep_every=0.3) as readiness:
        await _settled(readiness)
        await asyncio.to_thread(valkey.kill)
        await desk.due(5, after=timedelta(seconds=0.1))
        await desk.all_sent(5)
        await eventually(_degraded(readiness), lambda parts: "waker" in parts)
        assert readiness.ready

        await asyncio.to_thread(valkey.restart)
        await eventually(_degraded(readiness), lambda parts: not parts)

    async with desk.worker(**own, sweep_every=NEVER) as readiness:
        await asyncio.to_thread(valkey.kill)
        await eventually(_degraded(readiness), lambda parts: "waker" in parts)
        await asyncio.to_thread(valkey.restart)
        await eventually(_degraded(readiness), lambda parts: not parts)
        await desk.due(5, after=SOON)
        await desk.all_sent(10)


async def test_a_frozen_valkey_holds_up_nobody_for_long(desk: Desk, valkey: Valkey) -> None:
    async with desk.worker(redis_url=SecretStr(valkey.url), sweep_every=0.3, plan_every=0.2) as readiness:
        await _settled(readiness)
        valkey.pause()
        await desk.due(5, after=timedelta(seconds=0.1))
        await desk.all_sent(5)
        await eventually(_degraded(readiness), lambda parts: "waker" in parts)
        assert readiness.ready
        valkey.resume()
        await eventually(_degraded(readiness), lambda parts: not parts)


async def test_a_worker_starts_and_works_before_valkey_does(desk: Desk, valkey: Valkey) -> None:
    await asyncio.to_thread(valkey.kill)
    await desk.due(5, after=timedelta())
    async with desk.worker(redis_url=SecretStr(valkey.url), sweep_every=0.3) as readiness:
        await desk.all_sent(5)
        assert readiness.ready
        await asyncio.to_thread(valkey.restart)
        await eventually(_degraded(readiness), lambda parts: not parts)


async def _settled(readiness: Readiness) -> None:
    """Until the worker listens for wakeups."""
    await eventually(_degraded(readiness), lambda parts: not parts)


async def _hint(desk: Desk, moment: datetime) -> None:
    async with Hints(desk.settings, Readiness()) as hints:
        await hints.wake([moment])


def _degraded(readiness: Readiness) -> Callable[[], Awaitable[set[str]]]:
    async def look() -> set[str]:
        return set(readiness.degraded)

    return look
