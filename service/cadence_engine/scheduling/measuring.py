"""Reads what waits in the database, for Prometheus to ask for."""

from cadence_engine.metrics.backlog import MEASURED
from cadence_engine.storage.connection import Pool
from cadence_engine.storage.reports import backlog


class Measuring:
    """Every worker does: what one reads, all read."""

    def __init__(self, pool: Pool, every: float) -> None:
        self._pool = pool
        self._every = every

    async def run_once(self) -> bool:
        """One look."""
        async with self._pool.acquire() as connection:
            MEASURED.set(await backlog.read(connection), every=self._every)
        return False
