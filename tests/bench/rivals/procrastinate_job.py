"""A procrastinate job for each step, deferred until it is due, all in one batch.

Tuned by rate and by CPU seconds a step, on two cores that had other work too. Each process runs four workers, since a
worker takes its jobs one by one, each in a commit of its own: with one worker it is half as fast, with eight no faster.
Jobs at a time: four or sixteen of each worker make no difference. psycopg in C; a look every 50 ms and no notices, as
what is deferred is told by none; jobs deleted when they are done.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from procrastinate import App, PsycopgConnector
from procrastinate.types import JSONDict

from cadence_engine.settings import Settings
from tests.bench.rivals.desk import Desk
from tests.bench.rivals.way import Way
from tests.bench.stage import Ground

PROCESSES = 2
WORKERS = 4
JOBS_AT_ONCE = 16
POLL_EVERY = 0.05
RUN_STEP = "run_step"


async def prepare(ground: Ground) -> None:
    async with _app(ground.settings).open_async() as app:
        await app.schema_manager.apply_schema_async()


async def defer(ground: Ground, ids: Sequence[UUID], due_at: datetime) -> None:
    async with _app(ground.settings).open_async() as app:
        jobs: list[JSONDict] = [{"enrollment_id": str(id_)} for id_ in ids]
        await app.configure_task(RUN_STEP, schedule_at=due_at).batch_defer_async(*jobs)


async def work(desk: Desk) -> None:
    app = _app(desk.settings)

    @app.task(name=RUN_STEP)
    async def run_step(enrollment_id: str) -> None:
        await desk.run_step(UUID(enrollment_id))

    async with app.open_async():
        await asyncio.gather(
            *(
                app.run_worker_async(
                    concurrency=JOBS_AT_ONCE,
                    fetch_job_polling_interval=POLL_EVERY,
                    listen_notify=False,
                    delete_jobs="successful",
                    install_signal_handlers=False,
                )
                for _ in range(WORKERS)
            )
        )


def _app(settings: Settings) -> App:
    return App(connector=PsycopgConnector(conninfo=settings.database_url.get_secret_value(), min_size=4, max_size=12))


WAY = Way("procrastinate", "a procrastinate job a step", defer, work, rows=2_500, prepare=prepare, processes=PROCESSES)
