"""A loop is `run_once` and this ticker: it repeats, waits, backs off on failure, and ends when told to."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog

from cadence_engine.backoff import Backoff, sleep_unless
from cadence_engine.health import Readiness
from cadence_engine.metrics import loops
from cadence_engine.telemetry import describe

log = structlog.stdlib.get_logger("cadence_engine.ticker")

RunOnce = Callable[[], Awaitable[bool]]
"""One bounded piece of work; True asks for the next one at once, because there is more to do."""

FORGET_FAILURES_AFTER = 60.0  # seconds that one run lasted: what ends then is a new trouble
STUCK_AFTER = 600.0  # seconds, twice what one run takes that meets every limit there is while PostgreSQL is cut off


class LoopStuck(Exception):  # noqa: N818  # it says what it is
    """A run never came back. As it may be inside a transaction, only the end of the process ends it."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(f"loop {name} has not come back for {seconds:.0f} s; this process ends, to be started again")


async def tick(
    name: str,
    run_once: RunOnce,
    *,
    every: float,
    stop: asyncio.Event,
    readiness: Readiness,
    essential: bool = True,
    stuck_after: float | None = STUCK_AFTER,
    backoff: Backoff | None = None,
) -> None:
    """Call `run_once` every `every` seconds, a little more or less, until `stop` is set.

    What `run_once` raises is logged and tried again after the backoff. Meanwhile, and until it has run once, the
    process is not ready, or, where the loop is not `essential`, degraded. A `run_once` under way is not cancelled, as
    it may be inside a transaction. Raises LoopStuck, for the process to end, where one has not come back after
    `stuck_after` seconds: None where it may take as long as it likes.
    """
    loop = asyncio.get_running_loop()
    backoff = backoff or Backoff(first=0.2)
    last_error = ""
    trouble = readiness.block if essential else readiness.degrade
    trouble(name, "has not run yet")
    loops.begins(name)
    while not stop.is_set():
        began = loop.time()
        try:
            more = await _within(stuck_after, name, run_once)
        except LoopStuck as stuck:
            trouble(name, str(stuck))
            log.critical("loop_stuck", loop=name, hint=str(stuck))
            raise
        except Exception as error:  # noqa: BLE001  # whatever it was, the loop must go on
            if loop.time() - began > FORGET_FAILURES_AFTER:
                backoff.reset()
            pause = backoff.next()
            told = describe(error)
            loops.failed(name)
            log.error(
                "loop_failed",
                loop=name,
                failures=backoff.failures,
                again_in=round(pause, 3),
                **({"error": told} if told == last_error else {"exc_info": error}),
            )
            last_error = told
            trouble(name, told)
        else:
            if backoff.failures:
                log.info("loop_recovered", loop=name, failures=backoff.failures)
            backoff.reset()
            last_error = ""
            readiness.clear(name)
            pause = 0.0 if more else every * random.uniform(0.9, 1.1)  # noqa: S311  # replicas drift apart
        await sleep_unless(stop, pause)


async def _within(seconds: float | None, name: str, run_once: RunOnce) -> bool:
    if seconds is None:
        return await run_once()
    running = asyncio.ensure_future(run_once())
    try:
        done, _ = await asyncio.wait({running}, timeout=seconds)
    except asyncio.CancelledError:
        running.cancel()
        raise
    if not done:
        raise LoopStuck(name, seconds)
    return running.result()
