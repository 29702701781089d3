"""Tells Redis each moment of the next minute at which something is due."""

from cadence_engine.scheduling.wakeups import Hints
from cadence_engine.scheduling.wakeups.buckets import HORIZON, WIDTH
from cadence_engine.storage import wakeups
from cadence_engine.storage.connection import Pool


class Planner:
    """Looks at the due index, once per bucket; what becomes due inside the minute meanwhile is told by its commit."""

    def __init__(self, pool: Pool, hints: Hints) -> None:
        self._pool = pool
        self._hints = hints

    async def run_once(self) -> bool:
        """One look at the whole minute."""
        async with self._pool.acquire() as connection:
            moments = await wakeups.due_moments(connection, bucket=WIDTH, ahead=HORIZON)
        await self._hints.wake(moments)
        return False
