"""How often one credential may call: counted in Redis for all replicas together; without Redis, not at all."""

import asyncio
import time
from math import ceil
from time import monotonic
from typing import Any, Self

import structlog
from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.exceptions import RedisError

from cadence_engine.api.problems import Code, Problem
from cadence_engine.health import Readiness
from cadence_engine.links import valkey
from cadence_engine.settings import Settings
from cadence_engine.telemetry import describe

log = structlog.stdlib.get_logger("cadence_engine.api")

WITHIN = 0.25  # seconds that a call may lose to a Redis that does not answer
LEFT_ALONE_FOR = 2.0
PART = "rate_limit"


class Rates:
    """To be used as an async context manager, which closes its connections."""

    def __init__(self, settings: Settings, readiness: Readiness) -> None:
        self._limit = RateLimitItemPerMinute(
            settings.api_requests_per_minute, namespace=settings.topic_prefix or "cadence"
        )
        address = settings.redis_url.get_secret_value()
        self._connections = valkey.connections(settings)
        options: dict[str, Any] = {"connection_pool": self._connections}
        storage = RedisStorage(f"async+{address}", implementation="redispy", **options)
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._readiness = readiness
        self._leave_alone_until = 0.0

    async def count(self, credential: str) -> None:
        """Count one call. Raises Problem where there were too many within a minute."""
        if monotonic() < self._leave_alone_until:
            return
        try:
            async with asyncio.timeout(WITHIN):
                if await self._limiter.hit(self._limit, credential):
                    self._readiness.clear(PART)
                    return
                opens_at = (await self._limiter.get_window_stats(self._limit, credential)).reset_time
        except (RedisError, OSError, TimeoutError) as error:
            self._leave_alone_until = monotonic() + LEFT_ALONE_FOR
            self._readiness.degrade(PART, f"{describe(error)}; calls are let through uncounted")
            log.warning("calls_uncounted", reason=describe(error))
            return
        seconds = max(1, ceil(opens_at - time.time()))
        raise Problem(
            Code.TOO_MANY_REQUESTS,
            f"more than {self._limit.amount} calls a minute",
            headers={"Retry-After": str(seconds)},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connections.aclose()
