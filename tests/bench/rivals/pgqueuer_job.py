"""A pgqueuer job for each step, deferred until it is due, all in one batch, and taken in batches.

Tuned by rate and by CPU seconds a step, on two cores that had other work too: two hundred jobs taken at once, up to a
thousand at work, and a look after 5 ms instead of 100 ms when that many are. Fifty and two hundred, or five hundred and
two thousand, take a tenth more. Its log of jobs is written in batches of the same size.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
from pgqueuer import AsyncpgPoolDriver, Job, PgQueuer, Queries

from cadence_engine.settings import Settings
from tests.bench.rivals.desk import Desk
from tests.bench.rivals.way import Way
from tests.bench.stage import Ground

PROCESSES = 2
TAKEN_AT_ONCE = 200
JOBS_AT_ONCE = 1_000
LOOK_AGAIN = timedelta(milliseconds=5)
RUN_STEP = "run_step"


async def prepare(ground: Ground) -> None:
    async with _pool(ground.settings) as pool:
        await Queries(AsyncpgPoolDriver(pool)).install()


async def defer(ground: Ground, ids: Sequence[UUID], due_at: datetime) -> None:
    async with _pool(ground.settings) as pool:
        queries = Queries(AsyncpgPoolDriver(pool))
        left = due_at - datetime.now(UTC)
        await queries.enqueue([RUN_STEP] * len(ids), [id_.bytes for id_ in ids], [0] * len(ids), [left] * len(ids))


async def work(desk: Desk) -> None:
    async with _pool(desk.settings) as pool:
        queuer = PgQueuer.from_asyncpg_pool(pool)
        queuer.qm.min_dequeue_poll_interval = LOOK_AGAIN

        @queuer.entrypoint(RUN_STEP)
        async def run_step(job: Job) -> None:
            await desk.run_step(UUID(bytes=job.payload))

        await queuer.run(batch_size=TAKEN_AT_ONCE, max_concurrent_tasks=JOBS_AT_ONCE)


def _pool(settings: Settings) -> "asyncpg.Pool[asyncpg.Record]":
    return asyncpg.create_pool(settings.database_url.get_secret_value(), min_size=1, max_size=8)


WAY = Way("pgqueuer", "a pgqueuer job a step", defer, work, rows=8_000, prepare=prepare, processes=PROCESSES)
