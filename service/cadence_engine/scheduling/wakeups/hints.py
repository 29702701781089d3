"""Asks to be woken up: what the planner and every committed transaction tell Redis."""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Self

import structlog
from redis.exceptions import RedisError

from cadence_engine.health import Readiness
from cadence_engine.scheduling.wakeups import road
from cadence_engine.scheduling.wakeups.buckets import buckets_to_wake, end_of
from cadence_engine.settings import Settings
from cadence_engine.telemetry import describe

log = structlog.stdlib.get_logger("cadence_engine.wakeups")

WITHIN = 1.0  # seconds that a caller may lose to a Redis that does not answer
LEFT_ALONE_FOR = 2.0  # seconds after a failure in which Redis is not asked again
PART = "hints"


class Hints:
    """Puts one job per bucket in the queue. Its own clock decides what is near: the database decides what is due.

    To be used as an async context manager, which closes the connections.
    """

    def __init__(self, settings: Settings, readiness: Readiness) -> None:
        self._settings = settings
        self._readiness = readiness
        self._redis = road.connect(settings)
        self._leave_alone_until = 0.0
        self._lost = False

    async def wake(self, moments: Sequence[datetime]) -> None:
        """Have everything run that is due at these moments (aware), as far as they are within the next minute.

        Never raises, and takes a second at most: without Redis the sweep does the same, later.
        """
        buckets = buckets_to_wake(moments, datetime.now(UTC))
        if (buckets or self._lost) and self._may_ask():
            await self._ask(self._enqueue_missing(buckets))

    async def call_sibling(self, bucket: int, number: int) -> None:
        """Have another job join in a bucket that turned out to be large. Never raises."""
        if self._may_ask():
            await self._ask(self._enqueue(bucket, number))

    def _may_ask(self) -> bool:
        return monotonic() >= self._leave_alone_until

    async def _ask(self, request: Coroutine[None, None, None]) -> None:
        try:
            async with asyncio.timeout(WITHIN):
                await request
        except (RedisError, OSError, TimeoutError) as error:
            self._leave_alone_until = monotonic() + LEFT_ALONE_FOR
            self._say_lost(error)
        else:
            self._say_restored()

    async def _enqueue_missing(self, buckets: list[int]) -> None:
        if not buckets:
            await self._redis.ping()
            return
        ids = [road.job_id(self._settings, bucket) for bucket in buckets]
        scores = await self._redis.zmscore(road.queue_name(self._settings), ids)
        for bucket, score in zip(buckets, scores, strict=True):
            if score is None:
                await self._enqueue(bucket)

    async def _enqueue(self, bucket: int, sibling: int = 0) -> None:
        await self._redis.enqueue_job(
            road.RUN_DUE,
            bucket,
            sibling,
            _job_id=road.job_id(self._settings, bucket, sibling),
            _defer_until=end_of(bucket),
        )

    def _say_lost(self, error: Exception) -> None:
        self._readiness.degrade(PART, f"{describe(error)}; the sweep goes on without wakeups")
        if not self._lost:
            log.warning("wakeups_lost", error=describe(error))
        self._lost = True

    def _say_restored(self) -> None:
        self._readiness.clear(PART)
        if self._lost:
            log.info("wakeups_restored")
        self._lost = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._redis.aclose(close_connection_pool=True)
