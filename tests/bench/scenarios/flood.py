"""Very many steps of one company due in the same second, and now and then a step of another company meanwhile."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter

from tests.bench import seed
from tests.bench.due_to_kafka import processes
from tests.bench.published import is_published
from tests.bench.scenarios import crowd
from tests.bench.scenarios.crowd import Row
from tests.bench.scenarios.scenario import Finding, Scenario, Tell, at_least, below
from tests.bench.scenarios.sight import Send, Sight, in_sight
from tests.bench.seed import COMPANIES
from tests.bench.stage import BenchError, Ground, Stage, running
from tests.bench.waiting import until

FLOODED, OTHER = "company-0", "company-1"
STEADY = 0.8
WAITS_AT_MOST = 5.0
OTHERS_AT_LEAST = 5
LOOK_EVERY = 0.05
TELL_EVERY = 15.0
STEPS_PER_SECOND_AT_LEAST = 500

# A step that ran is followed by one that is due in a day.
WAITING = """
    SELECT EXISTS (SELECT FROM cadence_enrollments
        WHERE status = 'active' AND next_run_at < now() + interval '1 hour' AND company_id = $1)
"""
RAN = """
    SELECT count(*) FILTER (WHERE company_id = $1) AS flooded, count(*) AS ran,
        (SELECT count(*) FROM cadence_events WHERE type = 'whatsapp.send.requested') AS sends,
        count(*) FILTER (WHERE (status, step_index, revision) <> ('active', 1, 2)) AS wrong
    FROM cadence_enrollments
"""
FORGET = """
    DELETE FROM cadence_enrollments
    WHERE company_id = $1 AND step_index = 0 AND next_run_at > clock_timestamp() + interval '1 second'
"""


@dataclass(frozen=True, slots=True)
class Size:
    """`steps` of the one company; a step of the other comes due every `other_every` seconds."""

    steps: int = 1_000_000
    other_every: float = 0.5

    @property
    def patience(self) -> float:
        """Seconds after which the flood should long be over."""
        return 60 + self.steps / STEPS_PER_SECOND_AT_LEAST

    @property
    def rows(self) -> Sequence[Row]:
        """The flood, and as many of the other company as it may last."""
        others = int(self.patience / self.other_every)
        return (
            Row(0, self.steps * COMPANIES, COMPANIES, apart=1 / self.steps),
            Row(1, others * COMPANIES, COMPANIES, after=1.1, apart=self.other_every),
        )


async def measure(stage: Stage, tell: Tell, size: Size) -> Sequence[Finding]:
    async with stage.ground(with_topics=True) as ground:
        await seed.cadences(ground.pool)
        async with running(processes(ground)), in_sight(ground) as sight:
            due_at = await crowd.appointed(ground, size.rows, tell)
            tell(f"{size.steps:,} steps of {FLOODED} become due within one second")
            await asyncio.sleep((due_at - await crowd.now(ground)).total_seconds())
            await _drained(ground, sight, size, tell)
            sends = await sight.sends()
        await _check(ground, size)
    return _findings(sends, size)


async def _drained(ground: Ground, sight: Sight, size: Size, tell: Tell) -> None:
    """Everything of the flood is in sight; what the other company still waits for is forgotten."""
    began = told = perf_counter()

    async def gone() -> bool:
        nonlocal told
        seen = await sight.look()
        if perf_counter() - told > TELL_EVERY:
            told = perf_counter()
            tell(f"about {seen:,} sends visible after {told - began:.0f} s")
        return seen >= size.steps and not await ground.pool.fetchval(WAITING, FLOODED)

    async def all_published() -> bool:
        await sight.look()
        return not await ground.pool.fetchval(WAITING, OTHER) and await is_published(ground)

    await until(gone, "the flood drained", within=size.patience, every=LOOK_EVERY)
    await ground.pool.execute(FORGET, OTHER)
    await until(all_published, "the last sends published", every=LOOK_EVERY)


async def _check(ground: Ground, size: Size) -> None:
    """Each step of the flood, and each of the other company's, ran once."""
    async with ground.patient() as connection:
        found = await connection.fetchrow(RAN, FLOODED)
    if found is None or tuple(found) != (size.steps, found["ran"], found["ran"], 0):
        raise BenchError(f"of {size.steps} steps of the flood and all others ran: {found}")


def _findings(sends: Sequence[Send], size: Size) -> Sequence[Finding]:
    flood = [send.seen_at for send in sends if send.company_id == FLOODED]
    rate, first, last = _rates(flood)
    others = [send for send in sends if send.company_id == OTHER and send.due_at < flood[-1]]
    if len(others) < OTHERS_AT_LEAST:
        raise BenchError(f"the flood was over after {len(others)} steps of the other company: make it larger")
    waits = [send.lateness for send in others]
    decided = [send.decided_at - send.due_at for send in others]
    return [
        Finding(f"{size.steps:,} steps of one company due in one second: visible on Kafka", rate, "steps/s"),
        at_least("the last third's rate to the first third's", last / first, STEADY),
        Finding(f"wait of another company's {len(others)} steps meanwhile, p50", median(waits), "s"),
        below("the same, longest", max(waits), WAITS_AT_MOST, "s"),
        Finding("of that until the step was decided, p50", median(decided), "s"),
        Finding("of that until the step was decided, longest", max(decided), "s"),
    ]


def _rates(seen: Sequence[float]) -> tuple[float, float, float]:
    """Sends per second of all, of the first and of the last third; `seen` ascends."""
    third = len(seen) // 3
    # From the first ones seen on: when the crowd began to move is a matter of lateness.
    return (
        len(seen) / (seen[-1] - seen[0]),
        third / (seen[third] - seen[0]),
        third / (seen[-1] - seen[-1 - third]),
    )


def scenario(size: Size = Size()) -> Scenario:
    return Scenario(
        "flood", "one company's campaign beside another company", lambda stage, tell: measure(stage, tell, size)
    )
