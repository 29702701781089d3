"""Reads what waits in the database, for Prometheus to ask for."""

from time import monotonic

from cadence_engine.metrics.backlog import MEASURED
from cadence_engine.scheduling.look_back import SHARE
from cadence_engine.storage.connection import Pool
from cadence_engine.storage.reports import backlog


class Measuring:
    """Every worker does: what one reads, all read. More rarely where a reading takes long, as beside a LookBack."""

    def __init__(self, pool: Pool, every: float) -> None:
        self._pool = pool
        self._every = every
        self._again_at = 0.0

    async def run_once(self) -> bool:
        """One look, unless the one before it took too long."""
        began = monotonic()
        if began < self._again_at:
            return False
        async with self._pool.acquire() as connection:
            reading = await backlog.read(connection)
        took = monotonic() - began
        self._again_at = began + SHARE * took
        MEASURED.set(reading, every=self._every + SHARE * took)
        return False
