"""Throughput while somebody elsewhere holds an old snapshot open, so that nothing that was replaced can be cleared."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import asyncpg

from tests.bench.due_to_log import rising_watermark, workers
from tests.bench.scenarios.scenario import Finding, Scenario, Tell, at_least
from tests.bench.scenarios.treadmill import Treadmill
from tests.bench.stage import Ground, Stage, running

KEPT = 0.8
TELL_EVERY = 30.0


@dataclass(frozen=True, slots=True)
class Size:
    """Bursts of `sample` steps without pause for `minutes`; the median of `bursts` before and at the end counts.

    So many enrollments that each of them runs a few steps in that time: it is every step that leaves something behind,
    and none runs a hundred in ten minutes.
    """

    minutes: float = 10.0
    enrollments: int = 2_000_000
    sample: int = 20_000
    bursts: int = 3


async def measure(stage: Stage, tell: Tell, size: Size) -> Sequence[Finding]:
    async with stage.ground() as ground:
        treadmill = Treadmill(ground, size.enrollments, size.sample)
        await treadmill.fill(tell)
        async with rising_watermark(ground), running(workers(ground)):
            await treadmill.burst()  # connections, caches
            before = median([await treadmill.burst() for _ in range(size.bursts)])
            tell(f"before: {before:,.0f} steps/s; now an old transaction is held open for {size.minutes:g} minutes")
            async with _old_transaction(ground):
                rates = await _work(treadmill, size, tell)
                dead = await ground.pool.fetchval(
                    "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'cadence_enrollments'"
                )
    after = median(rates[-size.bursts :])
    return [
        Finding("due to log before", before, "steps/s"),
        Finding(f"due to log after {size.minutes:g} minutes of an old transaction", after, "steps/s"),
        Finding("rows that could not be cleared away", dead, "rows"),
        at_least(f"after {size.minutes:g} minutes to before", after / before, KEPT),
    ]


async def _work(treadmill: Treadmill, size: Size, tell: Tell) -> list[float]:
    """The rates of all bursts; the last ones begin after the minutes are over."""
    rates: list[float] = []
    began = told = perf_counter()
    while perf_counter() - began < 60 * size.minutes:
        rates.append(await treadmill.burst())
        if perf_counter() - told > TELL_EVERY:
            told = perf_counter()
            tell(f"after {told - began:.0f} s: {rates[-1]:,.0f} steps/s")
    return rates + [await treadmill.burst() for _ in range(size.bursts)]


@contextlib.asynccontextmanager
async def _old_transaction(ground: Ground) -> AsyncIterator[None]:
    connection = await asyncpg.connect(ground.settings.database_url.get_secret_value())
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.execute("SELECT FROM cadence_enrollments LIMIT 1")
            yield
    finally:
        await connection.close()


def scenario(size: Size = Size()) -> Scenario:
    return Scenario("old-transaction", "an old transaction held open", lambda stage, tell: measure(stage, tell, size))
