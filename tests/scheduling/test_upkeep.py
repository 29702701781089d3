"""What is kept in order without anybody asking."""

from datetime import UTC, datetime, timedelta

import pytest

from cadence_engine.scheduling.upkeep import ROWS_AT_ONCE, Upkeep
from cadence_engine.storage import partitions
from tests.scheduling.conftest import Desk

PARTITIONS = """
    SELECT relid::text FROM pg_partition_tree('cadence_events')
    WHERE isleaf AND relid::text NOT LIKE '%default' ORDER BY 1
"""


@pytest.fixture
def upkeep(desk: Desk) -> Upkeep:
    async def nobody(_: object) -> None: ...

    return Upkeep(desk.pool, desk.stage.policy, nobody)


async def test_the_log_has_its_days_ahead_and_events_land_in_their_own(desk: Desk, upkeep: Upkeep) -> None:
    today = (await desk.stage.now()).date()
    days = [today + timedelta(days=n) for n in range(partitions.DAYS_AHEAD + 1)]
    async with desk.pool.acquire() as connection, connection.transaction():
        await partitions.make_ahead(connection, today_too=True)
    await desk.pool.execute(f"DROP TABLE cadence_events_{days[-1]:%Y%m%d}")  # as if a day had passed

    for _ in range(2):
        await upkeep.make_partitions()

    made = [row[0] for row in await desk.pool.fetch(PARTITIONS)]
    assert made == [f"cadence_events_{day:%Y%m%d}" for day in days]
    await desk.due(3, after=timedelta(minutes=-1))
    await desk.stage.run_due()
    landed = await desk.pool.fetch("SELECT DISTINCT tableoid::regclass::text FROM cadence_events")
    assert {row[0] for row in landed} <= {f"cadence_events_{day:%Y%m%d}" for day in days}


@pytest.mark.parametrize("today_too", [False, True])
async def test_a_day_that_began_without_a_partition_stays_as_it_is_and_later_ones_are_made(
    desk: Desk, today_too: bool
) -> None:
    await desk.due(3, after=timedelta(minutes=-1))
    await desk.stage.run_due()
    events = await desk.pool.fetchval("SELECT count(*) FROM cadence_events")

    async with desk.pool.acquire() as connection, connection.transaction():
        await partitions.make_ahead(connection, today_too=today_too)

    assert len(await desk.pool.fetch(PARTITIONS)) == partitions.DAYS_AHEAD
    assert await desk.pool.fetchval("SELECT count(*) FROM cadence_events_default") == events > 0


async def test_workers_beside_each_other_make_partitions_once(desk: Desk) -> None:
    async with desk.pool.acquire() as one, desk.pool.acquire() as other, one.transaction():
        assert await partitions.make_ahead(one)
        async with other.transaction():
            assert await partitions.make_ahead(other) == []


async def test_old_ids_are_forgotten_in_portions_and_fresh_ones_kept(desk: Desk, upkeep: Upkeep) -> None:
    old = datetime.now(UTC) - desk.stage.policy.inbox_memory - timedelta(hours=1)
    await desk.pool.execute(
        "INSERT INTO inbox SELECT '/crm', n::text, $1 FROM generate_series(1, $2::int) AS n", old, ROWS_AT_ONCE + 5
    )
    await desk.pool.execute("INSERT INTO inbox VALUES ('/crm', 'fresh', now())")
    assert [await upkeep.forget_inbox() for _ in range(2)] == [True, False]
    assert [row["event_id"] for row in await desk.pool.fetch("SELECT event_id FROM inbox")] == ["fresh"]


async def test_a_pause_that_its_operator_left_half_done_is_settled(desk: Desk, upkeep: Upkeep) -> None:
    await desk.due(3, after=timedelta(minutes=5))
    await desk.pool.execute("UPDATE cadences SET status = 'paused', settled = false, status_at = now()")
    while await upkeep.settle_cadences():
        pass
    assert await desk.pool.fetchval("SELECT settled FROM cadences")
    assert {row[0] for row in await desk.pool.fetch("SELECT status FROM cadence_enrollments")} == {"paused"}


async def test_a_paused_enrollment_goes_on_at_its_time(desk: Desk, upkeep: Upkeep) -> None:
    await desk.due(2, after=timedelta(hours=1))
    await desk.pool.execute(
        """
        UPDATE cadence_enrollments SET status = 'paused', paused_by = 'operator', wait_left = interval '1 hour',
            held_due_at = next_run_at, next_run_at = NULL, resume_at = now() + interval '1 hour'
        """
    )
    await upkeep.resume_paused()
    assert {row[0] for row in await desk.pool.fetch("SELECT status FROM cadence_enrollments")} == {"paused"}
    await desk.pool.execute("UPDATE cadence_enrollments SET resume_at = now() - interval '1 second'")
    await upkeep.resume_paused()
    assert {row[0] for row in await desk.pool.fetch("SELECT status FROM cadence_enrollments")} == {"active"}


LETTER = """
    INSERT INTO dead_letters (topic, partition, record_offset, record_timestamp, value, header_names, header_values,
        reason, detail, created_at, company_id, contact_id)
    SELECT 'contact.created', 0, n, 0, 'x', '{}', '{}', 'not_json', '..', $1, 'acme', 'ana'
    FROM generate_series($2::int, $3::int) AS n
"""


async def test_old_dead_letters_are_deleted_in_portions_once_they_are_published(desk: Desk, upkeep: Upkeep) -> None:
    old = datetime.now(UTC) - desk.stage.policy.letter_memory - timedelta(hours=1)
    await desk.pool.execute(LETTER, old, 1, ROWS_AT_ONCE + 5)
    await desk.pool.execute(LETTER, datetime.now(UTC), 5000, 5000)
    await desk.pool.execute("INSERT INTO event_batches (logged_at) VALUES ($1)", old)
    assert not await upkeep.forget_letters()
    assert await desk.pool.fetchval("SELECT count(*) FROM dead_letters") == ROWS_AT_ONCE + 6

    await desk.pool.execute("UPDATE event_batches SET published_at = now()")
    assert [await upkeep.forget_letters() for _ in range(2)] == [True, False]
    assert [row["record_offset"] for row in await desk.pool.fetch("SELECT record_offset FROM dead_letters")] == [5000]


async def test_a_dead_letter_that_was_found_while_its_contact_was_erased_is_forgotten(
    desk: Desk, upkeep: Upkeep
) -> None:
    await desk.stage.hears("contact.deleted", contactId="ana")
    await desk.pool.execute(LETTER, datetime.now(UTC), 1, 1)  # as if its transaction had begun before
    await upkeep.forget_letters()
    assert dict(await desk.pool.fetchrow("SELECT state, value FROM dead_letters") or {}) == {
        "state": "dropped",
        "value": None,
    }


async def test_answers_under_a_key_are_forgotten_when_nobody_asks_for_them_again(desk: Desk, upkeep: Upkeep) -> None:
    await desk.due(2, after=timedelta(minutes=-1))
    await desk.pool.execute(
        """
        INSERT INTO idempotency_keys (company_id, idempotency_key, used_for, used_at)
        SELECT 'acme', key, 'x', now() - age FROM (VALUES ('old', interval '8 days'), ('new', '6 days')) AS k (key, age)
        """
    )
    await desk.pool.execute(
        "INSERT INTO replay_answers SELECT company_id, idempotency_key, '', '{}' FROM idempotency_keys"
    )
    assert [await upkeep.forget_answers() for _ in range(2)] == [True, False]
    assert await desk.pool.fetchval("SELECT array_agg(idempotency_key) FROM replay_answers") == ["new"]


async def test_the_contacts_of_a_deleted_company_are_erased_to_the_last(desk: Desk, upkeep: Upkeep) -> None:
    await desk.due(3, after=timedelta(minutes=-1))
    assert await upkeep.erase_companies() is False
    await desk.stage.hears("company.deleted")
    await desk.pool.execute("UPDATE company_erasures SET asked_at = now() - interval '2 minutes'")
    while await upkeep.erase_companies():
        pass
    assert await desk.pool.fetchval("SELECT bool_and(erased) FROM contacts")
    assert await desk.pool.fetchval("SELECT finished_at IS NOT NULL FROM company_erasures")


async def test_the_published_log_is_counted_for_the_funnels(desk: Desk, upkeep: Upkeep) -> None:
    await desk.due(3, after=timedelta(minutes=-1))
    await desk.stage.run_due()
    assert not await upkeep.count_log()
    assert await desk.pool.fetchval("SELECT count(*) FROM cadence_counts") == 0

    await desk.pool.execute("UPDATE event_batches SET published_at = now()")
    for _ in range(2):
        assert not await upkeep.count_log()

    sent = "SELECT sum(amount) FROM cadence_counts WHERE type = 'whatsapp.send.requested'"
    assert await desk.pool.fetchval(sent) == 3
