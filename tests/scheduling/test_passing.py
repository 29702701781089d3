"""A wakeup waits for the watermark, but not for long."""

import asyncio
import time
from datetime import timedelta

from cadence_engine.scheduling.passing import Passing
from tests.scheduling.conftest import Desk

RAISE = "UPDATE reply_gate SET watermark = $1"


async def test_all_who_wait_go_on_when_the_watermark_has_passed_their_moment(desk: Desk) -> None:
    now = await desk.stage.now()
    await desk.pool.execute(RAISE, now)
    passing = Passing(desk.pool, asyncio.Event())
    near = [asyncio.create_task(passing.of(now + timedelta(seconds=n), within=20)) for n in range(1, 4)]
    far = asyncio.create_task(passing.of(now + timedelta(minutes=1), within=20))

    done, _ = await asyncio.wait({*near, far}, timeout=0.2)
    assert not done
    await desk.pool.execute(RAISE, now + timedelta(seconds=3))

    assert await asyncio.gather(*near) == [True, True, True]
    assert not far.done()
    far.cancel()


async def test_a_watermark_that_stands_still_is_given_up_on(desk: Desk) -> None:
    passing = Passing(desk.pool, asyncio.Event())
    began = time.monotonic()
    assert await passing.of(await desk.stage.now(), within=0.1) is False
    assert time.monotonic() - began < 5


async def test_stopping_ends_the_wait(desk: Desk) -> None:
    stop = asyncio.Event()
    waiting = asyncio.create_task(Passing(desk.pool, stop).of(await desk.stage.now(), within=3600))
    stop.set()
    async with asyncio.timeout(5):
        assert await waiting is False
