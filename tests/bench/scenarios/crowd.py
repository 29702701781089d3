"""Enrollments that come due at appointed times, in front of an engine that runs already."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter

from tests.bench import seed
from tests.bench.due import NOTICE
from tests.bench.scenarios.scenario import Tell
from tests.bench.stage import BenchError, Ground


@dataclass(frozen=True, slots=True)
class Row:
    """Contacts `first` to `end` - 1, each `every`th; due from `after` seconds behind the appointment on."""

    first: int
    end: int
    every: int = 1
    after: float = 0.0
    apart: float = 0.0


async def appointed(ground: Ground, rows: Sequence[Row], tell: Tell) -> datetime:
    """Write contacts and enrollments, by an appointment that leaves time for it: that instant.

    The engine knows of it in time. Raises BenchError where this machine is too busy for that.
    """
    began = perf_counter()
    for row in rows:
        await seed.contacts(ground.pool, row.first, row.end, every=row.every, tell=tell)
    await seed.settle(ground.pool)
    allowed = NOTICE.total_seconds() + 2 + 4 * (perf_counter() - began)  # there are more indexes on enrollments
    due_at = await now(ground) + timedelta(seconds=allowed)
    for row in rows:
        due = due_at + timedelta(seconds=row.after)
        await seed.enrollments(ground.pool, row.first, row.end, due=due, apart=row.apart, every=row.every, tell=tell)
    await seed.settle(ground.pool)
    if due_at - await now(ground) < NOTICE:
        raise BenchError(f"enrolling took more than {allowed:.0f} s: this machine is too busy")
    return due_at


async def now(ground: Ground) -> datetime:
    """By the database's clock."""
    moment: datetime = await ground.pool.fetchval("SELECT clock_timestamp()")
    return moment
