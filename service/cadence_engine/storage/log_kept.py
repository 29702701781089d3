"""From when on the log is kept, what of it is still needed, and the deletion of what has no day of its own."""

from dataclasses import dataclass
from datetime import datetime

from cadence_engine.storage.connection import Connection

# By indexes alone: of what is unpublished, of what is uncounted, and of the ids.
READ = """
SELECT clock_timestamp(),
    (SELECT logged_at FROM event_batches ORDER BY batch_id LIMIT 1),
    (SELECT min(logged_at) FROM event_batches WHERE published_at IS NULL),
    (SELECT min(logged_at) FROM event_batches WHERE NOT counted),
    (SELECT min(logged_at) FROM event_batches WHERE batch_id = ANY (SELECT unnest(last_batches) FROM relay_state))
"""
# The day on which the log began has its rows in the default partition.
FORGET_ROWS = """
DELETE FROM cadence_events_default WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM cadence_events_default WHERE logged_at < $1 ORDER BY logged_at LIMIT $2
))
"""
# No index tells their time. Ids are drawn in its order but for moments, so that the first ones are the oldest.
FORGET_BATCHES = """
DELETE FROM event_batches
WHERE batch_id = ANY (ARRAY(SELECT batch_id FROM event_batches ORDER BY batch_id LIMIT $2)) AND logged_at < $1
"""


@dataclass(frozen=True, slots=True)
class LogReading:
    """`oldest`: when the log begins. The others are the times of the oldest batches that are still needed.

    None: there is no such batch. The relay compares its `newest_transaction` with Kafka when it starts.
    """

    now: datetime
    oldest: datetime | None
    unpublished: datetime | None
    uncounted: datetime | None
    newest_transaction: datetime | None


async def read(connection: Connection) -> LogReading:
    row = await connection.fetchrow(READ)
    return LogReading(*row)  # type: ignore[misc]  # always a row


async def since(connection: Connection) -> datetime | None:
    """What happened before is deleted, or about to be; None: everything is kept."""
    kept: datetime | None = await connection.fetchval("SELECT since FROM log_kept")
    return kept


async def keep_from(connection: Connection, at: datetime) -> None:
    """Note that what was logged before is given up. Never goes back: part of it may be deleted already."""
    await connection.execute("UPDATE log_kept SET since = $1 WHERE since IS NULL OR since < $1", at)


async def forget_rows(connection: Connection, before: datetime, rows: int) -> int:
    """Delete up to `rows` events of the default partition that were logged before; answers how many."""
    return _affected(await connection.execute(FORGET_ROWS, before, rows))


async def forget_batches(connection: Connection, before: datetime, rows: int) -> int:
    """Delete up to `rows` batches that were logged before, and whose events are gone; answers how many."""
    return _affected(await connection.execute(FORGET_BATCHES, before, rows))


def _affected(status: str) -> int:
    return int(status.rpartition(" ")[2])
