"""Daily partitions of the log, made ahead: rows of a day without one land in the default partition, and stay there."""

from datetime import date, timedelta

from cadence_engine.storage.connection import Connection

DAYS_AHEAD = 7
MAKING_PARTITIONS = 0x0CADE9CF  # advisory lock

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


async def make_ahead(connection: Connection, *, today_too: bool = False) -> list[date]:
    """Make the partitions that the next days lack (days of UTC); answers which were made.

    To be called in a transaction. Makes none while another process is at it. `today_too` is for when nobody appends to
    the log yet: PostgreSQL refuses an event that was on its way to the default partition while its day is attached.
    """
    if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", MAKING_PARTITIONS):
        return []
    first = timedelta() if today_too else timedelta(days=1)
    missing = [row[0] for row in await connection.fetch(MISSING, first, timedelta(days=DAYS_AHEAD))]
    for day in missing:
        await connection.execute(MAKE.format(day=day, next_day=day + timedelta(days=1)))
    return missing
