"""The instant up to which every stopping record is applied; the gate reads it, the watermark's loop raises it."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

from cadence_engine.storage.connection import Connection

TopicPartition = tuple[str, int]
"""Topic as the deployment names it, and partition."""


class Standing(NamedTuple):
    """One look at the database: its clock, and the next offset of each partition, no younger than that."""

    now: datetime
    progress: dict[TopicPartition, int]


async def clock(connection: Connection) -> datetime:
    """The database's clock at this moment."""
    moment: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return moment


async def read(connection: Connection, topics: Collection[str]) -> Standing:
    """Where these topics stand; a partition without a row is not in it."""
    rows = await connection.fetch(
        """
        SELECT clock.now, topic, partition, next_offset
        FROM (SELECT clock_timestamp() AS now) AS clock LEFT JOIN stream_progress ON topic = ANY($1)
        """,
        list(topics),
    )
    return Standing(rows[0][0], {(row[1], row[2]): row[3] for row in rows if row[1] is not None})


async def raise_to(connection: Connection, watermark: datetime, ends: Mapping[TopicPartition, int]) -> None:
    """Raise the watermark if it is lower and every partition is applied up to its end; else change nothing.

    That the ends are reached is asked of the database that keeps the watermark, in the statement that moves it: so it
    cannot be fooled by what another database, before a failover or a restore, had said.
    """
    await connection.execute(
        """
        UPDATE reply_gate SET watermark = $1
        WHERE watermark < $1 AND NOT EXISTS (
            SELECT FROM unnest($2::text[], $3::int[], $4::bigint[]) AS sample (topic, partition, log_end)
            LEFT JOIN stream_progress USING (topic, partition)
            WHERE next_offset IS NULL OR next_offset < log_end
        )
        """,
        watermark,
        [topic for topic, _ in ends],
        [partition for _, partition in ends],
        list(ends.values()),
    )
