"""The log is deleted when it is old: never before it is published and counted, and nobody has to wait for it."""

import asyncio
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pytest
import pytest_asyncio

from cadence_engine.handlers.why import Answer, why_contact
from cadence_engine.scheduling.upkeep import ROWS_AT_ONCE, Upkeep
from cadence_engine.storage import partitions
from cadence_engine.storage.connection import Pool
from tests.handlers.conftest import ACME
from tests.scheduling.conftest import Desk

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Log:
    """A log that goes back for longer than it is kept; days are counted back from today, of UTC."""

    desk: Desk
    upkeep: Upkeep
    today: datetime

    @property
    def pool(self) -> Pool:
        return self.desk.pool

    @property
    def memory(self) -> int:
        """Days."""
        return self.desk.stage.policy.log_memory.days

    def day(self, ago: int) -> date:
        return (self.today - ago * DAY).date()

    async def logged(self, ago: int, *, batches: int = 1, published: bool = True, counted: bool = True) -> None:
        """Batches of one refusal each, at noon of that day."""
        await self.pool.execute(
            """
            WITH batch AS (
                INSERT INTO event_batches (logged_at, published_at, counted)
                SELECT $1::timestamptz, CASE WHEN $2 THEN now() END, $3 FROM generate_series(1, $4::int)
                RETURNING logged_at, batch_id
            )
            INSERT INTO cadence_events (logged_at, batch_id, position, type, event_id, company_id, contact_id, data)
            SELECT logged_at, batch_id, 0, 'cadence.enrollment.refused', gen_random_uuid(), $5, 'ana',
                '{"reason": "reentry", "cadenceId": "00000000-0000-0000-0000-000000000000", "trigger": "api"}'
            FROM batch
            """,
            self.today - ago * DAY + DAY / 2,
            published,
            counted,
            batches,
            ACME,
        )

    async def partition(self, ago: int) -> None:
        await self.pool.execute(
            f"CREATE TABLE cadence_events_{self.day(ago):%Y%m%d} PARTITION OF cadence_events"
            f" FOR VALUES FROM ('{self.day(ago)} 00:00:00+00') TO ('{self.day(ago) + DAY} 00:00:00+00')"
        )

    async def forget(self) -> None:
        """As long as there is more of it."""
        while await self.upkeep.forget_log():
            pass

    async def days(self) -> list[int]:
        """Days ago, of each event that is left."""
        rows = await self.pool.fetch("SELECT logged_at FROM cadence_events ORDER BY logged_at")
        return [(self.today + DAY - row["logged_at"]).days for row in rows]

    async def batches(self) -> int:
        return int(await self.pool.fetchval("SELECT count(*) FROM event_batches"))

    async def partitions(self) -> list[str]:
        rows = await self.pool.fetch(
            "SELECT relid::text FROM pg_partition_tree('cadence_events') WHERE isleaf ORDER BY 1"
        )
        return [row[0].removeprefix("cadence_events_") for row in rows]

    async def why(self) -> Answer:
        async with self.pool.acquire() as connection:
            answer = await why_contact(connection, ACME, "ana", self.desk.stage.policy, before=None, rows=100)
        assert answer is not None
        return answer


@pytest_asyncio.fixture
async def log(desk: Desk) -> Log:
    async def nobody(_: object) -> None: ...

    await desk.pool.execute("INSERT INTO contacts (company_id, contact_id) VALUES ($1, 'ana')", ACME)
    now = await desk.stage.now()
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return Log(desk, Upkeep(desk.pool, desk.stage.policy, nobody), today)


async def test_old_days_are_dropped_and_a_contacts_history_says_so(log: Log) -> None:
    memory = log.memory
    for ago in (memory + 2, memory + 1, memory):
        await log.partition(ago)
    for ago in (memory + 3, memory + 2, memory + 1, memory, 1):
        await log.logged(ago)
    assert (await log.why()).timeline.kept_since is None

    await log.forget()

    assert await log.days() == [memory, 1]
    assert await log.partitions() == [f"{log.day(memory):%Y%m%d}", "default"]
    assert await log.batches() == 2
    history = (await log.why()).timeline
    assert history.kept_since == log.today - memory * DAY
    assert len(history.happened) == 2

    await log.forget()
    assert await log.days() == [memory, 1]


async def test_a_young_log_is_kept_whole_and_nothing_is_said_to_be_missing(log: Log) -> None:
    await log.logged(log.memory - 1)
    await log.partition(log.memory + 1)  # a day on which nothing happened

    await log.forget()

    assert await log.days() == [log.memory - 1]
    assert await log.partitions() == ["default"]
    assert (await log.why()).timeline.kept_since is None


@pytest.mark.parametrize("undone", ["published", "counted"])
async def test_a_day_stays_until_it_is_published_and_counted(log: Log, undone: str) -> None:
    memory = log.memory
    for ago in (memory + 3, memory + 2, memory + 1):
        await log.partition(ago)
    await log.logged(memory + 3)
    await log.logged(memory + 2, published=undone != "published", counted=False)
    await log.logged(memory + 1)

    await log.forget()
    assert await log.days() == [memory + 2, memory + 1]
    assert (await log.why()).timeline.kept_since == log.today - (memory + 2) * DAY

    await log.pool.execute("UPDATE event_batches SET published_at = now(), counted = true")
    await log.forget()
    assert (await log.days(), await log.batches()) == ([], 0)


async def test_what_the_relay_published_last_stays_for_its_mark(log: Log) -> None:
    await log.logged(log.memory + 2)
    await log.logged(log.memory + 1)
    await log.pool.execute("UPDATE relay_state SET last_batches = (SELECT ARRAY[max(batch_id)] FROM event_batches)")

    await log.forget()

    assert (await log.days(), await log.batches()) == ([log.memory + 1], 1)


async def test_a_day_in_use_is_not_waited_for(log: Log) -> None:
    await log.partition(log.memory + 1)
    await log.logged(log.memory + 1)

    async with log.pool.acquire() as reader, reader.transaction():
        await reader.fetch("SELECT FROM cadence_events")
        assert not await asyncio.wait_for(log.upkeep.forget_log(), 4)  # less than a lock is waited for elsewhere
        assert await log.days() == [log.memory + 1]
        await log.logged(1)  # nobody stands in the way of who appends

    await log.forget()
    assert await log.days() == [1]


async def test_a_day_without_a_partition_goes_in_portions_and_its_batches_after_it(log: Log) -> None:
    await log.logged(log.memory + 1, batches=ROWS_AT_ONCE + 1)
    left = []
    for _ in range(3):
        await log.upkeep.forget_log()
        left.append((len(await log.days()), await log.batches()))
    rows = ROWS_AT_ONCE + 1
    assert left == [(1, rows), (0, rows - ROWS_AT_ONCE + 1), (0, 0)]


async def test_workers_beside_each_other_leave_it_to_one(log: Log) -> None:
    await log.partition(log.memory + 1)
    await log.logged(log.memory + 1)
    async with log.pool.acquire() as other, other.transaction():
        assert await partitions.lock(other)
        await log.forget()
        assert await log.days() == [log.memory + 1]
    await log.forget()
    assert (await log.days(), await log.batches()) == ([], 0)


async def test_runs_of_the_detector_are_forgotten_with_the_log(log: Log) -> None:
    await log.pool.execute(
        "INSERT INTO detector_runs (company_id, local_date) SELECT $1, d FROM unnest($2::date[]) AS d",
        ACME,
        [log.day(log.memory + 2), log.day(log.memory - 2)],
    )
    assert not await log.upkeep.forget_runs()
    assert [row[0] for row in await log.pool.fetch("SELECT local_date FROM detector_runs")] == [log.day(log.memory - 2)]
