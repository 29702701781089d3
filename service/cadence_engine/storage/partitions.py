"""Daily partitions of the log, made ahead and dropped: rows of a day without one land in the default one, and stay."""

from datetime import date, datetime, timedelta

import asyncpg

from cadence_engine.storage.connection import Connection

DAYS_AHEAD = 7
CHANGING_PARTITIONS = 0x0CADE9CF  # advisory lock

# Attaching a table locks less than making one as a partition: whoever appends to another day's goes on.
MAKE = """
CREATE TABLE cadence_events_{day:%Y%m%d} (LIKE cadence_events INCLUDING ALL);
ALTER TABLE cadence_events ATTACH PARTITION cadence_events_{day:%Y%m%d}
    FOR VALUES FROM ('{day:%Y-%m-%d} 00:00:00+00') TO ('{next_day:%Y-%m-%d} 00:00:00+00');
"""
# A day that has rows in the default partition can have none of its own any more.
MISSING = """
SELECT day::date
FROM generate_series(date_trunc('day', now()) + $1, date_trunc('day', now()) + $2, '1 day') AS day
WHERE to_regclass('cadence_events_' || to_char(day, 'YYYYMMDD')) IS NULL
  AND NOT EXISTS (SELECT FROM cadence_events_default WHERE logged_at >= day AND logged_at < day + interval '1 day')
ORDER BY day
"""
OLDEST = """
SELECT min(day) FROM (
    SELECT to_date(substring(relid::text FROM 'cadence_events_([0-9]{8})'), 'YYYYMMDD') AS day
    FROM pg_partition_tree('cadence_events') WHERE isleaf
) AS made WHERE day < ($1::timestamptz AT TIME ZONE 'UTC')::date
"""
# To drop a day locks the whole log for a moment, and whoever wants it meanwhile queues up behind: so it is not waited
# for. (DETACH .. CONCURRENTLY would lock less, and is not for a table that has a default partition.)
NOT_WAITING = "SET LOCAL lock_timeout = '100ms'"
DROP = "DROP TABLE cadence_events_{day:%Y%m%d}"


async def lock(connection: Connection) -> bool:
    """Be the only one that changes partitions until the transaction ends; False: another process is at it."""
    return bool(await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", CHANGING_PARTITIONS))


async def make_ahead(connection: Connection, *, today_too: bool = False) -> list[date]:
    """Make the partitions that the next days lack (days of UTC); answers which were made.

    To be called in a transaction. Makes none while another process is at it. `today_too` is for when nobody appends to
    the log yet: PostgreSQL refuses an event that was on its way to the default partition while its day is attached.
    """
    if not await lock(connection):
        return []
    first = timedelta() if today_too else timedelta(days=1)
    missing = [row[0] for row in await connection.fetch(MISSING, first, timedelta(days=DAYS_AHEAD))]
    for day in missing:
        await connection.execute(MAKE.format(day=day, next_day=day + timedelta(days=1)))
    return missing


async def oldest_before(connection: Connection, at: datetime) -> date | None:
    """The oldest day of UTC that has a partition and began before `at`, a midnight; None: there is none."""
    day: date | None = await connection.fetchval(OLDEST, at)
    return day


async def drop(connection: Connection, day: date) -> bool:
    """Drop the partition of a day of UTC with all that is in it; False: the log is in use, so that it stays for now.

    The last that its transaction does: until then nobody reads or appends to the log.
    """
    try:
        async with connection.transaction():
            await connection.execute(NOT_WAITING)
            await connection.execute(DROP.format(day=day))
    except asyncpg.LockNotAvailableError:
        return False
    return True
