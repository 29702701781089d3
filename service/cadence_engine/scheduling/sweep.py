"""Runs whatever is overdue, by Postgres alone: what wakeups missed, and everything while Redis is away."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import structlog

from cadence_engine.domain.gate import Held
from cadence_engine.health import Readiness
from cadence_engine.metrics import steps as metrics
from cadence_engine.scheduling.due_steps import DueSteps

log = structlog.stdlib.get_logger("cadence_engine.sweep")

Wake = Callable[[Sequence[datetime]], Awaitable[None]]
PART = "steps"
HALTS = "halts"


class Sweep:
    """Also the one who says, once per change, that the gate holds the steps and why, or that companies are halted."""

    def __init__(self, steps: DueSteps, wake: Wake, readiness: Readiness) -> None:
        self.steps = steps
        self._wake = wake
        self._readiness = readiness
        self._held: Held | None = None
        self._halted_companies = 0

    async def run_once(self) -> bool:
        """One batch; True while batches are full."""
        ran, wake_at = await self.steps.run()
        await self._wake(wake_at)
        self._say(ran.held)
        if ran.held is None:
            self._say_halted(ran.halted_companies)
        return ran.full

    def _say(self, held: Held | None) -> None:
        metrics.held(held)
        if held == self._held:
            return
        self._held = held
        if held is None:
            self._readiness.clear(PART)
            log.info("steps_resumed")
        else:
            self._readiness.degrade(PART, f"held: {held}")
            log.warning("steps_held", reason=held)

    def _say_halted(self, companies: int) -> None:
        if companies == self._halted_companies:
            return
        self._halted_companies = companies
        if companies:
            self._readiness.degrade(HALTS, f"halted companies: {companies}; see `cadence-engine halts`")
        else:
            self._readiness.clear(HALTS)
        log.warning("companies_halted", companies=companies)
