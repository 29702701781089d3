"""The worker: plain loops on Postgres, and beside them the wakeups, without which everything goes on at their pace."""

import asyncio

from cadence_engine.backoff import Backoff
from cadence_engine.domain.policy import Policy
from cadence_engine.health import Readiness
from cadence_engine.scheduling import wakeups
from cadence_engine.scheduling.due_steps import DueSteps
from cadence_engine.scheduling.inactivity import Inactivity
from cadence_engine.scheduling.measuring import Measuring
from cadence_engine.scheduling.planner import Planner
from cadence_engine.scheduling.sweep import Sweep
from cadence_engine.scheduling.ticker import STUCK_AFTER, RunOnce, tick
from cadence_engine.scheduling.upkeep import Upkeep
from cadence_engine.scheduling.wakeups.due_jobs import DueJobs
from cadence_engine.scheduling.wakeups.waker import PART as WAKER
from cadence_engine.scheduling.wakeups.waker import Waker
from cadence_engine.settings import Settings
from cadence_engine.storage.connection import Pool


async def run(settings: Settings, policy: Policy, pool: Pool, stop: asyncio.Event, readiness: Readiness) -> None:
    """Run every loop until `stop` is set and each has ended its present piece of work. Raises LoopStuck."""
    async with wakeups.Hints(settings, readiness) as hints:
        upkeep = Upkeep(pool, policy, hints.wake)
        steps = DueSteps(pool, policy)
        waker = Waker(settings, DueJobs(pool, steps, hints, stop), stop, readiness)

        def loop(
            name: str, run_once: RunOnce, every: float, stuck_after: float | None = STUCK_AFTER
        ) -> asyncio.Task[None]:
            ticking = tick(name, run_once, every=every, stop=stop, readiness=readiness, stuck_after=stuck_after)
            return asyncio.create_task(ticking, name=name)

        await asyncio.gather(
            loop("sweep", Sweep(steps, hints.wake, readiness).run_once, settings.sweep_every),
            loop("planner", Planner(pool, hints).run_once, settings.plan_every),
            # A round takes as long as there are companies and silent contacts.
            loop("inactivity", Inactivity(pool, policy, hints.wake, stop).run_once, settings.detect_every, None),
            loop("recheck_parked", upkeep.recheck_parked, settings.upkeep_every),
            loop("settle_cadences", upkeep.settle_cadences, settings.upkeep_every),
            loop("resume_paused", upkeep.resume_paused, settings.upkeep_every),
            loop("forget_inbox", upkeep.forget_inbox, settings.upkeep_every),
            loop("erase_companies", upkeep.erase_companies, settings.upkeep_every),
            loop("forget_answers", upkeep.forget_answers, settings.upkeep_every),
            loop("forget_letters", upkeep.forget_letters, settings.upkeep_every),
            loop("count_log", upkeep.count_log, settings.upkeep_every),
            loop("make_partitions", upkeep.make_partitions, settings.upkeep_every),
            loop("forget_log", upkeep.forget_log, settings.upkeep_every),
            loop("forget_runs", upkeep.forget_runs, settings.upkeep_every),
            tick(
                "measuring",
                Measuring(pool, settings.measure_every).run_once,
                every=settings.measure_every,
                stop=stop,
                readiness=readiness,
                essential=False,
            ),
            tick(
                WAKER,
                waker.run_once,
                every=settings.sweep_every,
                stop=stop,
                readiness=readiness,
                essential=False,
                stuck_after=None,  # one run lasts as long as Redis does
                backoff=Backoff(first=0.2, most=3.0),
            ),
        )
