"""The same work beside few and beside very many live enrollments."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from cadence_engine.devstack.fleet import EngineProcess
from tests.bench.due_to_log import rising_watermark, workers
from tests.bench.scenarios.scenario import Finding, Scenario, Tell, at_least
from tests.bench.scenarios.treadmill import Treadmill
from tests.bench.stage import Stage, running

KEPT = 0.9


@dataclass(frozen=True, slots=True)
class Size:
    """In each round `sample` steps due at one instant, as many that are scattered, as many due evenly at half rate."""

    many: int = 2_000_000
    few: int = 100_000
    sample: int = 20_000
    rounds: int = 3


@dataclass(slots=True)
class Side:
    """What was measured beside so many enrollments, round by round; lateness in seconds."""

    treadmill: Treadmill
    workers: Sequence[EngineProcess]
    rates: list[float] = field(default_factory=list)
    scattered: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.treadmill.enrollments:,} live enrollments"


async def measure(stage: Stage, tell: Tell, size: Size) -> Sequence[Finding]:
    async with contextlib.AsyncExitStack() as grounds:
        sides = []
        for enrollments in (size.few, size.many):
            ground = await grounds.enter_async_context(stage.ground())
            treadmill = Treadmill(ground, enrollments, size.sample)
            await treadmill.fill(tell)
            sides.append(Side(treadmill, workers(ground)))
        few, many = sides
        for turn in range(size.rounds):
            for side in (many, few) if turn % 2 else (few, many):
                # The same load for both: half of what is done beside few.
                await _round(side, seconds=2 * size.sample / median(few.rates) if few.rates else None)
                tell(f"{side.name}, round {turn + 1} of {size.rounds}: {side.rates[-1]:,.0f} steps/s")
    return _findings(few, many)


async def _round(side: Side, *, seconds: float | None) -> None:
    async with rising_watermark(side.treadmill.ground), running(side.workers):
        rate = await side.treadmill.burst()
        scattered = await side.treadmill.burst(scattered=True)
        p50, p99 = await side.treadmill.evenly(seconds or 2 * side.treadmill.sample / rate)
    side.rates.append(rate)
    side.scattered.append(scattered)
    side.p50.append(p50)
    side.p99.append(p99)


def _findings(few: Side, many: Side) -> Sequence[Finding]:
    return [
        Finding(f"due to log, {few.name}", median(few.rates), "steps/s"),
        Finding(f"due to log, {many.name}", median(many.rates), "steps/s"),
        at_least("throughput, many to few", median(many.rates) / median(few.rates), KEPT),
        Finding("the same where what is due is scattered all over", median(many.scattered) / median(few.scattered)),
        Finding(f"due to logged at half load, {few.name}, p50", median(few.p50), "s"),
        Finding(f"due to logged at half load, {many.name}, p50", median(many.p50), "s"),
        at_least("lateness p50, few to many", median(few.p50) / median(many.p50), KEPT),
        Finding(f"due to logged at half load, {few.name}, p99", median(few.p99), "s"),
        Finding(f"due to logged at half load, {many.name}, p99", median(many.p99), "s"),
        at_least("lateness p99, few to many", median(few.p99) / median(many.p99), KEPT),
    ]


def scenario(size: Size = Size()) -> Scenario:
    return Scenario("size", "few and very many live enrollments", lambda stage, tell: measure(stage, tell, size))
