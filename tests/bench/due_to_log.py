"""Steps from due to logged: two workers, woken up as in production, and the watermark raised by the benchmark.

Without relay and consumer: what is measured is claim, decision, update and log.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from time import perf_counter

from cadence_engine.devstack.fleet import EngineProcess, Worker
from tests.bench import due, path, seed
from tests.bench.path import Measured, MeasuredPath
from tests.bench.stage import Ground, Stage, running
from tests.bench.waiting import until

NO_RELAY = {"CADENCE_RELAY_MAX_LAG": "7200", "CADENCE_RELAY_EASY_LAG": "7200"}  # longer than any measurement


async def by_engine(stage: Stage, rows: int) -> Measured:
    async with stage.ground() as ground:
        await seed.cadences(ground.pool)
        async with rising_watermark(ground), running(workers(ground)):
            due_at, started = await due.soon(ground, rows)
            await asyncio.sleep(started - perf_counter())

            async def all_done() -> bool:
                return not await due.anything_due(ground, due_at)

            seconds = await until(all_done, "all due steps run", every=0.05) - started
        return Measured(rows, seconds, await due.checked(ground, rows))


def workers(ground: Ground) -> Sequence[EngineProcess]:
    """Two, who do not mind that nobody publishes."""
    return [Worker(ground.directory / f"worker-{n}", ground.environment(**NO_RELAY)) for n in range(2)]


@contextlib.asynccontextmanager
async def rising_watermark(ground: Ground) -> AsyncIterator[None]:
    """As often as the consumer raises it."""

    async def rise() -> None:
        while True:
            await ground.pool.execute("UPDATE reply_gate SET watermark = clock_timestamp()")
            await asyncio.sleep(ground.settings.watermark_every)

    rising = asyncio.create_task(rise())
    try:
        yield
    finally:
        rising.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await rising


PATH = MeasuredPath(
    "log",
    "due to log",
    by_engine,
    [path.raw(due.by_sql, goal=0.7)],
    "From the due time to the last commit; two workers, against two connections.",
)
