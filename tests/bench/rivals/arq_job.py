"""An arq job for each step, deferred until it is due.

Tuned by rate and by CPU seconds a step, on two cores that had other work too. A queue for each process: two that share
one lose a fifth to each other's locks. A thousand jobs at a time, four thousand ids a read: a job stays in the queue
until it is done, and every read looks at it again. No results kept, nothing logged, orjson for pickle, hiredis. A
third and fourth process take a third more CPU a step; a producer that lingers makes no difference.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import orjson
from arq import create_pool, func
from arq.connections import ArqRedis, RedisSettings
from arq.typing import WorkerCoroutine
from arq.worker import Worker

from cadence_engine.settings import Settings
from tests.bench.rivals.desk import Desk
from tests.bench.rivals.way import Way
from tests.bench.stage import Ground

PROCESSES = 2
JOBS_AT_ONCE = 1_000
READ_AT_ONCE = 4_000
POLL_EVERY = 0.01
ENQUEUED_AT_ONCE = 100
RUN_STEP = "run_step"


async def defer(ground: Ground, ids: Sequence[UUID], due_at: datetime) -> None:
    redis = await _connect(ground.settings)
    async with redis:
        for start in range(0, len(ids), ENQUEUED_AT_ONCE):
            await asyncio.gather(
                *(
                    redis.enqueue_job(
                        RUN_STEP, str(id_), _queue_name=_queue(ground.settings, n % PROCESSES), _defer_until=due_at
                    )
                    for n, id_ in enumerate(ids[start : start + ENQUEUED_AT_ONCE], start)
                )
            )


async def work(desk: Desk) -> None:
    async def run_step(_: dict[Any, Any], enrollment_id: str) -> None:
        await desk.run_step(UUID(enrollment_id))

    redis = await _connect(desk.settings)
    async with redis:
        await Worker(
            [func(cast("WorkerCoroutine", run_step), name=RUN_STEP, keep_result=0)],
            queue_name=_queue(desk.settings, desk.process),
            redis_pool=redis,
            handle_signals=False,
            max_jobs=JOBS_AT_ONCE,
            queue_read_limit=READ_AT_ONCE,
            poll_delay=POLL_EVERY,
            keep_result=0,
            log_results=False,
            job_serializer=redis.job_serializer,
            job_deserializer=redis.job_deserializer,
        ).async_run()


def _queue(settings: Settings, process: int) -> str:
    return f"{settings.topic_prefix}arq.{process}"


async def _connect(settings: Settings) -> ArqRedis:
    return await create_pool(
        RedisSettings.from_dsn(settings.redis_url.get_secret_value()),
        job_serializer=orjson.dumps,
        job_deserializer=orjson.loads,
    )


WAY = Way("arq", "an arq job a step", defer, work, rows=5_000, goal=40, processes=PROCESSES, deferred_per_second=500)
