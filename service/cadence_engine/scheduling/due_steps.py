"""Batches of due steps, one transaction each: after one that failed, smaller ones."""

import asyncio
from dataclasses import replace
from datetime import datetime
from time import monotonic

import asyncpg

from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.due_steps import Ran, run_due_steps
from cadence_engine.metrics import steps
from cadence_engine.scheduling.look_back import LookBack
from cadence_engine.storage import database
from cadence_engine.storage.connection import Pool
from cadence_engine.tracing import spans

CROWDED_PAUSE = 0.1


class DueSteps:
    """Shared by all in a process who run steps.

    A batch that fails as a whole would be claimed again as it was, the longest due first, and hold up everything behind
    it: for instance one that takes longer to fill its templates than a transaction may stand idle. A row that fails
    even alone is parked.

    A batch that is full tells of a backlog, perhaps of one company alone: every other batch then takes a share of every
    company's steps, so that no company waits for the end of another's campaign. While the relay cannot keep up, the
    batches are small and rare: whatever they log, everybody's sends stand behind it.

    One batch at a time: another one beside it in the same process has to step over the rows that this one holds, which
    costs PostgreSQL a third more (measured).
    """

    def __init__(self, pool: Pool, policy: Policy) -> None:
        self._pool = pool
        self._policy = policy
        self._rows = policy.claim_rows
        self._fairly = False
        self._crowded = False
        self._look_back = LookBack()
        self._turn = asyncio.Lock()

    async def run(self) -> tuple[Ran, list[datetime]]:
        """One batch, and the moments to wake up at. A tenth of the rows after a failure, then twice as many again."""
        async with self._turn:
            return await self._run()

    async def _run(self) -> tuple[Ran, list[datetime]]:
        rows, fairly = self._rows, self._fairly
        if self._crowded:
            rows = max(1, rows // 10)
            await asyncio.sleep(CROWDED_PAUSE)
        policy = replace(self._policy, claim_rows=rows)
        began = monotonic()
        since = self._look_back.since(began)
        try:
            with spans.within("run due steps") as told:
                ran, wake_at = await database.run(
                    self._pool,
                    lambda unit: run_due_steps(unit, policy, due_since=since, fairly=fairly),
                )
                _tell(told, ran)
        except Exception as error:
            self._rows = max(1, rows // 10)
            if isinstance(error, asyncpg.QueryCanceledError):
                self._look_back.gave_up(now=monotonic())
            raise
        took = monotonic() - began
        self._look_back.looked(since, ran.reached, took=took, now=began + took)
        steps.ran(ran, took)
        if not self._crowded:
            self._rows = min(self._policy.claim_rows, rows * 2)
        self._fairly = ran.full and not fairly
        self._crowded = ran.full and ran.crowded
        return ran, wake_at


def _tell(told: spans.Told, ran: Ran) -> None:
    if not ran.claimed:
        told.forget()
    told.links(ran.traceparents)
    told.tell(claimed=ran.claimed, sent=ran.sent, completed=ran.completed, parked=ran.parked)
