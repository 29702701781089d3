"""A loop goes on whatever happens, says how it is, and ends when told to, after the work under way."""

import asyncio

import pytest

from cadence_engine.backoff import Backoff, sleep_unless
from cadence_engine.health import Readiness
from cadence_engine.scheduling.ticker import LoopStuck, RunOnce, tick

NEVER = 3600.0


async def test_a_failing_loop_is_not_ready_and_goes_on_until_it_is_well_again() -> None:
    stop, readiness = asyncio.Event(), Readiness()
    seen: list[tuple[bool, dict[str, str]]] = []

    async def fail_twice() -> bool:
        seen.append((readiness.ready, dict(readiness.blocking)))
        if len(seen) <= 2:
            raise ConnectionResetError("the server is gone")
        if len(seen) == 4:
            stop.set()
        return True

    await _tick(fail_twice, stop, readiness)

    begun = (False, {"loop": "has not run yet"})
    failed = (False, {"loop": "ConnectionResetError: the server is gone"})
    assert seen == [begun, failed, failed, (True, {})]


async def test_what_is_not_essential_only_degrades() -> None:
    stop, readiness = asyncio.Event(), Readiness()

    async def fail() -> bool:
        stop.set()
        raise OSError("no route")

    await _tick(fail, stop, readiness, essential=False)

    assert readiness.ready
    assert readiness.degraded == {"loop": "OSError: no route"}


async def test_more_to_do_is_done_at_once_and_otherwise_the_interval_is_waited_for() -> None:
    stop, rested = asyncio.Event(), asyncio.Event()
    runs: list[int] = []

    async def three_pages() -> bool:
        runs.append(1)
        more = len(runs) < 3
        if not more:
            asyncio.get_running_loop().call_later(0.05, rested.set)
        return more

    ticking = asyncio.create_task(_tick(three_pages, stop, Readiness()))
    await rested.wait()
    assert len(runs) == 3
    stop.set()
    await ticking
    assert len(runs) == 3


async def test_stopping_waits_for_the_work_under_way() -> None:
    stop, inside, finish = asyncio.Event(), asyncio.Event(), asyncio.Event()
    finished: list[bool] = []

    async def long_work() -> bool:
        inside.set()
        await finish.wait()
        finished.append(True)
        return True

    ticking = asyncio.create_task(_tick(long_work, stop, Readiness()))
    await inside.wait()
    stop.set()
    done, _ = await asyncio.wait({ticking}, timeout=0.05)
    assert not done
    finish.set()
    await ticking
    assert finished == [True]


async def test_what_never_comes_back_ends_the_loop_and_so_the_process() -> None:
    readiness, never = Readiness(), asyncio.Event()

    async def hang() -> bool:
        return await never.wait()

    with pytest.raises(LoopStuck, match="loop sweep has not come back"):
        await tick("sweep", hang, every=NEVER, stop=asyncio.Event(), readiness=readiness, stuck_after=0.05)

    assert "has not come back" in readiness.blocking["sweep"]


async def test_a_sleep_ends_with_stop() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, stop.set)
    async with asyncio.timeout(5):
        await sleep_unless(stop, NEVER)


def test_the_backoff_doubles_up_to_its_bound_less_up_to_half() -> None:
    backoff = Backoff(first=1.0, most=8.0)
    for failures, longest in [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 8.0), (10_000, 8.0)]:
        waits = [backoff.seconds_after(failures) for _ in range(50)]
        assert all(longest / 2 <= wait <= longest for wait in waits)


async def _tick(
    run_once: RunOnce,
    stop: asyncio.Event,
    readiness: Readiness,
    *,
    essential: bool = True,
) -> None:
    await tick(
        "loop",
        run_once,
        every=NEVER,
        stop=stop,
        readiness=readiness,
        essential=essential,
        backoff=Backoff(first=0.0, most=0.0),
    )
