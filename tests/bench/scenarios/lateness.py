"""How late sends come while steps are due evenly, at half of what the whole engine can do."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median, quantiles

from tests.bench import due, due_to_kafka, seed
from tests.bench.published import is_published
from tests.bench.scenarios import crowd
from tests.bench.scenarios.crowd import Row
from tests.bench.scenarios.scenario import Finding, Scenario, Tell, below
from tests.bench.scenarios.sight import in_sight
from tests.bench.stage import BenchError, Stage, running
from tests.bench.waiting import until

P50_AT_MOST, P99_AT_MOST = 0.4, 1.0
LOOK_EVERY = 0.02


@dataclass(frozen=True, slots=True)
class Size:
    """`rows` to find the full rate with, then `seconds` at half of it."""

    rows: int = 40_000
    seconds: float = 30.0


async def measure(stage: Stage, tell: Tell, size: Size) -> Sequence[Finding]:
    full = await due_to_kafka.by_engine(stage, size.rows)
    steps = int(full.rate / 2 * size.seconds)
    tell(f"full rate {full.rate:,.0f} steps/s; now {steps:,} steps in {size.seconds:.0f} s")
    async with stage.ground(with_topics=True) as ground:
        await seed.cadences(ground.pool)
        async with running(due_to_kafka.processes(ground)), in_sight(ground) as sight:
            due_at = await crowd.appointed(ground, [Row(0, steps, apart=size.seconds / steps)], tell)
            all_due_at = due_at + timedelta(seconds=size.seconds)
            await asyncio.sleep((due_at - await crowd.now(ground)).total_seconds())

            async def all_published() -> bool:
                return (
                    await sight.look() >= steps
                    and not await due.anything_due(ground, all_due_at)
                    and await is_published(ground)
                )

            await until(all_published, "all sends published", within=60 + 4 * size.seconds, every=LOOK_EVERY)
            sends = await sight.sends()
            await due.checked(ground, steps)
    late = [send.lateness for send in sends]
    if min(late) < 0:
        raise BenchError(f"a send was visible {-min(late):.3f} s before it was due: the clocks do not agree")
    rate = steps / size.seconds
    return [
        below(f"from due to visible on Kafka at {rate:,.0f} steps/s, p50", median(late), P50_AT_MOST, "s"),
        below("the same, p99", quantiles(late, n=100)[-1], P99_AT_MOST, "s"),
        Finding("the same, longest", max(late), "s"),
    ]


def scenario(size: Size = Size()) -> Scenario:
    return Scenario("lateness", "lateness at half load", lambda stage, tell: measure(stage, tell, size))
