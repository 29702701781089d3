"""Waits for the watermark to pass a moment; any number of waiters ask the database as often as one would."""

import asyncio
from datetime import UTC, datetime

from cadence_engine.backoff import sleep_unless
from cadence_engine.storage import gate
from cadence_engine.storage.connection import Pool

LOOK_EVERY = 0.02


class Passing:
    """The newest watermark that was seen, shared by all who wait in this process."""

    def __init__(self, pool: Pool, stop: asyncio.Event) -> None:
        self._pool = pool
        self._stop = stop
        self._watermark = datetime.min.replace(tzinfo=UTC)
        self._turn = asyncio.Lock()

    async def of(self, moment: datetime, *, within: float) -> bool:
        """Whether the watermark is at or beyond `moment` after at most about `within` seconds, or when stopping."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + within
        while self._watermark < moment and loop.time() < ends and not self._stop.is_set():
            async with self._turn:
                if self._watermark >= moment:
                    return True
                self._watermark = await self._read()
                if self._watermark < moment:
                    await sleep_unless(self._stop, LOOK_EVERY)
        return self._watermark >= moment

    async def _read(self) -> datetime:
        async with self._pool.acquire() as connection:
            reading = await gate.read(connection)
        return reading.watermark
