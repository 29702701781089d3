"""Enrollments of a cadence of very many steps: a sample of them is made due, and run, again and again."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import gcd
from time import perf_counter

from tests.bench import seed
from tests.bench.due import NOTICE, anything_due
from tests.bench.scenarios import crowd
from tests.bench.scenarios.scenario import Tell
from tests.bench.seed import COMPANIES, COMPANY_OF_N, CONTACT_OF_N
from tests.bench.stage import BenchError, Ground
from tests.bench.waiting import until

STEPS = 100
SPREAD = timedelta(days=30)  # over which those wait that nobody makes due
STEP = """
  - key: step-{n}
    wait: P30D
    template:
      id: treadmill_{n}
      category: marketing
      variables: {{contactName: {{from: contact.name, else: friend}}}}"""
CADENCE = "key: treadmill\nname: Treadmill\ntrigger: {event: api}\nlanguage: pt_BR\nsteps:" + "".join(
    STEP.format(n=n) for n in range(STEPS)
)
WITHIN = 120.0

MAKE_DUE = f"""
    UPDATE cadence_enrollments AS e SET next_run_at = $4::timestamptz + (n - $1) / $3 * $5::interval
    FROM generate_series($1::int, $2::int - 1, $3::int) AS n
    WHERE e.company_id = {COMPANY_OF_N} AND e.contact_id = {CONTACT_OF_N}
        AND e.status IN ('active', 'paused', 'parked')
"""  # noqa: S608  # constants of this package
WRITTEN = """
    SELECT count(DISTINCT event_id) FILTER (WHERE type = 'whatsapp.send.requested'),
        count(DISTINCT event_id) FILTER (WHERE type = 'cadence.step.executed'),
        count(*)
    FROM cadence_events WHERE logged_at >= $1
"""
LATENESS = """
    SELECT percentile_disc(ARRAY[0.5, 0.99]) WITHIN GROUP (
        ORDER BY extract(epoch FROM logged_at - (data ->> 'dueAt')::timestamptz)::float8)
    FROM cadence_events WHERE logged_at >= $1 AND type = 'whatsapp.send.requested'
"""


@dataclass(slots=True)
class Treadmill:
    """So many live enrollments; `sample` of them are run at a time.

    They were enrolled one after the other, as what comes due together often was. `scattered` ones are far from each
    other in table and indexes: the worst there is.
    """

    ground: Ground
    enrollments: int
    sample: int
    turn: int = 0

    async def fill(self, tell: Tell) -> None:
        """Write everything; the engine does not run yet."""
        pool = self.ground.pool
        await seed.cadences(pool, CADENCE)
        await seed.contacts(pool, 0, self.enrollments, tell=tell)
        first = await crowd.now(self.ground) + timedelta(days=1)
        apart = SPREAD.total_seconds() / self.enrollments
        async with seed.indexed_afterwards(pool, "cadence_enrollments", tell):
            await seed.enrollments(pool, 0, self.enrollments, due=first, apart=apart, tell=tell)
        await seed.settle(pool, vacuumed=True)

    async def burst(self, *, scattered: bool = False) -> float:
        """Steps per second of the next sample, all due at one instant: until the last is logged."""
        due_at, started = await self._make_due(apart=0.0, scattered=scattered)
        await asyncio.sleep(started - perf_counter())
        seconds = await self._all_run(due_at, due_at) - started
        await self._check(due_at)
        return self.sample / seconds

    async def evenly(self, seconds: float) -> tuple[float, float]:
        """p50 and p99, in seconds, of how late the steps of the next sample are logged that come due evenly."""
        due_at, started = await self._make_due(apart=seconds / self.sample)
        await asyncio.sleep(started + seconds - perf_counter())
        await self._all_run(due_at, due_at + timedelta(seconds=seconds))
        await self._check(due_at)
        p50, p99 = await self.ground.pool.fetchval(LATENESS, due_at)
        return p50, p99

    async def _make_due(self, *, apart: float, scattered: bool = False) -> tuple[datetime, float]:
        """From when the next sample is due: by the database's clock, and by `perf_counter`."""
        first, stride = self._next_sample(scattered)
        for allowed in (1, 2, 4, 8):
            async with self.ground.pool.acquire() as connection:
                transaction = connection.transaction()
                await transaction.start()
                due_at = await connection.fetchval("SELECT clock_timestamp()") + NOTICE + timedelta(seconds=allowed)
                status = await connection.execute(
                    MAKE_DUE, first, first + stride * self.sample, stride, due_at, timedelta(seconds=apart)
                )
                asked = perf_counter()
                left = due_at - await connection.fetchval("SELECT clock_timestamp()")
                if left < NOTICE:
                    await transaction.rollback()
                    continue
                await transaction.commit()
            if status != f"UPDATE {self.sample}":
                raise BenchError(f"{status}, and not {self.sample}: some enrollments are not live any more")
            return due_at, asked + left.total_seconds()
        raise BenchError(f"making {self.sample} steps due takes more than {allowed} s: this machine is too busy")

    def _next_sample(self, scattered: bool) -> tuple[int, int]:
        """The first of it, and the distance to the next."""
        samples = _stride(self.enrollments // self.sample)
        turn = self.turn % samples
        self.turn += 1
        return (turn, samples) if scattered else (turn * self.sample, 1)

    async def _all_run(self, first: datetime, last: datetime) -> float:
        async def all_run() -> bool:
            return not await anything_due(self.ground, last, first)

        return await until(all_run, "all due steps run", within=WITHIN)

    async def _check(self, since: datetime) -> None:
        written = await self.ground.pool.fetchrow(WRITTEN, since)
        if written is None or tuple(written) != (self.sample, self.sample, 2 * self.sample):
            raise BenchError(f"(sends, steps, rows) in the log are {written}, and {self.sample} steps were due")


def _stride(at_most: int) -> int:
    """So that a sample has a share of every company's contacts."""
    return next(stride for stride in range(at_most, 0, -1) if gcd(stride, COMPANIES) == 1)
