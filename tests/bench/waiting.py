"""Waiting for what only the servers can tell."""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter

from tests.bench.stage import TIME_LIMIT, BenchError

LOOK_EVERY = 0.01


async def until(
    holds: Callable[[], Awaitable[object]], what: str, *, within: float = TIME_LIMIT, every: float = LOOK_EVERY
) -> float:
    """The moment (of `perf_counter`) at which it was first seen to hold. Raises BenchError when it never does."""
    gives_up_at = perf_counter() + within
    while not await holds():
        if perf_counter() > gives_up_at:
            raise BenchError(f"not within {within:.0f} s: {what}")
        await asyncio.sleep(every)
    return perf_counter()
