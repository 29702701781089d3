"""The inbox: ids of the events that were applied, so that none is applied twice."""

from collections.abc import Collection
from datetime import timedelta

from cadence_engine.storage.connection import Connection

EventKey = tuple[str, str]
"""(CloudEvents source, id)"""


async def record(connection: Connection, keys: Collection[EventKey]) -> set[EventKey]:
    """Note these as applied in this transaction; answers those that were new."""
    if not keys:
        return set()
    rows = await connection.fetch(
        """
        INSERT INTO inbox (source, event_id) SELECT * FROM unnest($1::text[], $2::text[])
        ON CONFLICT DO NOTHING RETURNING source, event_id
        """,
        *zip(*sorted(set(keys)), strict=True),
    )
    return {(row[0], row[1]) for row in rows}


async def forget(connection: Connection, older_than: timedelta, rows: int) -> int:
    """Delete up to `rows` that are older; answers how many. Records older than that are dead letters (`stale`)."""
    deleted = await connection.fetchval(
        """
        WITH old AS (
            SELECT ctid FROM inbox WHERE applied_at < now() - $1::interval LIMIT $2
        ), gone AS (
            DELETE FROM inbox WHERE ctid = ANY(ARRAY(SELECT ctid FROM old)) RETURNING 1
        )
        SELECT count(*) FROM gone
        """,
        older_than,
        rows,
    )
    return int(deleted)
