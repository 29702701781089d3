"""Enrolls silent contacts, page by page, of every company whose run of the day is due."""

import asyncio
import random

import structlog

from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.detect_inactive import companies_due, detect_page
from cadence_engine.metrics import loops
from cadence_engine.scheduling.sweep import Wake
from cadence_engine.storage import database
from cadence_engine.storage.connection import Pool
from cadence_engine.tracing import spans

log = structlog.stdlib.get_logger("cadence_engine.inactivity")

FAILURES_AT_MOST = 10  # in one round: then it is hardly the companies' own fault


class Inactivity:
    """Any number of these may run side by side: the database gives each company's day to one at a time."""

    def __init__(self, pool: Pool, policy: Policy, wake: Wake, stop: asyncio.Event) -> None:
        self._pool = pool
        self._policy = policy
        self._wake = wake
        self._stop = stop

    async def run_once(self) -> bool:
        """All companies that are due, each to its end. One that fails is logged, and tried again the next time."""
        due, _ = await database.run(self._pool, lambda unit: companies_due(unit, self._policy))
        failures = 0
        # In any order: companies that keep failing must not hide those behind them.
        for company_id in random.sample(due, len(due)):
            try:
                await self._detect(company_id)
            except Exception:
                log.exception("detection_failed", company_id=company_id)
                loops.detector_run(finished=False)
                failures += 1
                if failures == FAILURES_AT_MOST:
                    raise
        return False

    async def _detect(self, company_id: str) -> None:
        enrolled, finished = 0, False
        while not finished and not self._stop.is_set():
            with spans.within("detect inactive") as told:
                page, wake_at = await database.run(self._pool, lambda unit: detect_page(unit, company_id, self._policy))
                told.tell(company_id=company_id, enrolled=page.enrolled)
            await self._wake(wake_at)
            enrolled += page.enrolled
            finished = page.finished
            if finished and not page.elsewhere:
                loops.detector_run(finished=True)
        if enrolled:
            log.info("inactive_enrolled", company_id=company_id, enrolled=enrolled)
