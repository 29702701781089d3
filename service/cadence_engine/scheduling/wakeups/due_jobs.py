"""What a wakeup does: run what is due when its bucket ends."""

import asyncio
from typing import Any

from cadence_engine.scheduling.due_steps import DueSteps
from cadence_engine.scheduling.passing import Passing
from cadence_engine.scheduling.wakeups.buckets import end_of
from cadence_engine.scheduling.wakeups.hints import Hints
from cadence_engine.storage.connection import Pool

WAIT_FOR_WATERMARK = 1.0
GIVES_WAY_AFTER = 5.0  # seconds; the sweep takes over what is left
SIBLINGS_AT_MOST = 16


class DueJobs:
    """The jobs under way in this process. What arq cancels is only its own waiting, never a transaction."""

    def __init__(self, pool: Pool, steps: DueSteps, hints: Hints, stop: asyncio.Event) -> None:
        self._steps = steps
        self._hints = hints
        self._stop = stop
        self._passing = Passing(pool, stop)
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self, _context: dict[Any, Any], bucket: int, sibling: int) -> None:
        """The job as arq calls it."""
        task = asyncio.create_task(self._run(bucket, sibling))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        await asyncio.shield(task)

    async def settled(self) -> None:
        """Wait until no job is inside a transaction any more: once `stop` is set, they end after the present batch."""
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def _run(self, bucket: int, sibling: int) -> None:
        loop = asyncio.get_running_loop()
        ends = loop.time() + GIVES_WAY_AFTER
        await self._passing.of(end_of(bucket), within=WAIT_FOR_WATERMARK)
        joined = sibling >= SIBLINGS_AT_MOST
        while not self._stop.is_set() and loop.time() < ends:
            ran, wake_at = await self._steps.run()
            await self._hints.wake(wake_at)
            if not ran.full:
                return
            if not joined:
                await self._hints.call_sibling(bucket, sibling + 1)
                joined = True
