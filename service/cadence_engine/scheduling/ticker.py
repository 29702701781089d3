"""A loop is `run_once` and this ticker: it repeats, waits, backs off on failure, and ends when told to."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from cadence_engine.health import Readiness
from cadence_engine.telemetry import describe

log = structlog.stdlib.get_logger("cadence_engine.ticker")

RunOnce = Callable[[], Awaitable[bool]]
"""One bounded piece of work; True asks for the next one at once, because there is more to do."""

FORGET_FAILURES_AFTER = 60.0  # seconds that one run lasted: what ends then is a new trouble


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait after failures in a row: doubling from `first` to `most` seconds, less up to half at random."""

    first: float = 0.2
    most: float = 10.0

    def seconds_after(self, failures: int) -> float:
        longest = min(self.most, self.first * 2.0 ** min(failures - 1, 30))
        return longest * (0.5 + random.random() / 2)  # noqa: S311  # spreads replicas, keeps no secret


DEFAULT_BACKOFF = Backoff()


async def tick(
    name: str,
    run_once: RunOnce,
    *,
    every: float,
    stop: asyncio.Event,
    readiness: Readiness,
    essential: bool = True,
    backoff: Backoff = DEFAULT_BACKOFF,
) -> None:
    """Call `run_once` every `every` seconds, a little more or less, until `stop` is set. Never raises.

    What `run_once` raises is logged and tried again after the backoff. Meanwhile, and until it has run once, the
    process is not ready, or, where the loop is not `essential`, degraded. A `run_once` under way is never cancelled: it
    may be inside a transaction.
    """
    loop = asyncio.get_running_loop()
    failures, last_error = 0, ""
    trouble = readiness.block if essential else readiness.degrade
    trouble(name, "has not run yet")
    while not stop.is_set():
        began = loop.time()
        try:
            more = await run_once()
        except Exception as error:  # noqa: BLE001  # whatever it was, the loop must go on
            failures = failures + 1 if loop.time() - began < FORGET_FAILURES_AFTER else 1
            pause = backoff.seconds_after(failures)
            told = describe(error)
            log.error(
                "loop_failed",
                loop=name,
                failures=failures,
                again_in=round(pause, 3),
                **({"error": told} if told == last_error else {"exc_info": error}),
            )
            last_error = told
            trouble(name, told)
        else:
            if failures:
                log.info("loop_recovered", loop=name, failures=failures)
            failures, last_error = 0, ""
            readiness.clear(name)
            pause = 0.0 if more else every * random.uniform(0.9, 1.1)  # noqa: S311  # replicas drift apart
        await sleep_unless(stop, pause)


async def sleep_unless(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but no longer than until `stop` is set."""
    if seconds <= 0:
        await asyncio.sleep(0)
        return
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
