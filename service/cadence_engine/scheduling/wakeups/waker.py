"""arq's worker, which ends when Redis does: run by the ticker, so that it comes back when Redis does."""

import asyncio
from time import time
from typing import Any, cast

import structlog
from arq.connections import ArqRedis
from arq.typing import StartupShutdown, WorkerCoroutine
from arq.worker import Worker, func

from cadence_engine.health import Readiness
from cadence_engine.scheduling.wakeups import road
from cadence_engine.scheduling.wakeups.due_jobs import DueJobs
from cadence_engine.settings import Settings

log = structlog.stdlib.get_logger("cadence_engine.wakeups")

PART = "waker"
LOOK_EVERY = 0.05
JOBS_AT_ONCE = 8
JOB_WITHIN = 15  # seconds; a killed worker's job comes again 10 s later, and nothing rests on that
TRIES = 2
CANCEL_AGAIN_AFTER = 0.1


class Waker:
    """Takes wakeups from the queue and runs them, until Redis goes away or the process stops."""

    def __init__(self, settings: Settings, jobs: DueJobs, stop: asyncio.Event, readiness: Readiness) -> None:
        self._settings = settings
        self._jobs = jobs
        self._stop = stop
        self._readiness = readiness

    async def run_once(self) -> bool:
        """One life of arq's worker. Raises whatever ended it, such as redis.ConnectionError; no job is left behind."""
        redis = road.connect(self._settings)
        try:
            await self._live(redis)
        finally:
            await self._jobs.settled()
            await redis.aclose(close_connection_pool=True)
        return False

    async def _live(self, redis: ArqRedis) -> None:
        await self._drop_stale(redis)
        worker = self._worker(redis)
        running = asyncio.create_task(worker.async_run())
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            worker.allow_pick_jobs = False
            await _cancel(running)  # it only polls: the jobs are tasks of their own, and end by themselves
            await asyncio.gather(*worker.tasks.values(), return_exceptions=True)
        if not running.cancelled():
            running.result()

    def _worker(self, redis: ArqRedis) -> Worker:
        return Worker(
            [
                func(
                    cast("WorkerCoroutine", self._jobs.run),
                    name=road.RUN_DUE,
                    timeout=JOB_WITHIN,
                    keep_result=0,
                    max_tries=TRIES,
                )
            ],
            queue_name=road.queue_name(self._settings),
            redis_pool=redis,
            on_startup=cast("StartupShutdown", self._say_listening),
            handle_signals=False,
            max_jobs=JOBS_AT_ONCE,
            keep_result=0,
            poll_delay=LOOK_EVERY,
            job_serializer=redis.job_serializer,
            job_deserializer=redis.job_deserializer,
            expires_extra_ms=road.KEPT_FOR_MS,
            log_results=False,
        )

    async def _say_listening(self, _context: dict[Any, Any]) -> None:
        self._readiness.clear(PART)
        log.info("wakeups_listening")

    async def _drop_stale(self, redis: ArqRedis) -> None:
        """Forget what was to be done while no worker was there; the sweep does it."""
        until_ms = int(time() * 1000) - road.KEPT_FOR_MS
        await redis.zremrangebyscore(road.queue_name(self._settings), "-inf", until_ms)


async def _cancel(task: asyncio.Task[None]) -> None:
    """Until it has ended: cancelled amid a transaction, Redis raises WatchError, which arq takes for a rival's job."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=CANCEL_AGAIN_AFTER)
