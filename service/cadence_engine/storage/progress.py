"""How far each partition of an inbound topic is applied: the truth from which the consumer seeks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cadence_engine.storage.connection import Connection


@dataclass(frozen=True, slots=True)
class Span:
    """The offsets [first, next) of one partition that a page covers: transaction markers may be among them."""

    topic: str
    partition: int
    first: int
    next: int


class Rewound(Exception):  # noqa: N818  # it names what happened to the database
    """The stored next offset is behind the page, or gone: the database was rolled back. Seek again from `load`."""

    def __init__(self, spans: Sequence[Span]) -> None:
        where = ", ".join(f"{span.topic}/{span.partition} from {span.first}" for span in spans)
        super().__init__(f"the database holds less than what was read before ({where}): seek again from its offsets")


async def load(connection: Connection, topic: str) -> dict[int, int]:
    """The next offset to read, by partition; a partition that was never assigned is not in it."""
    rows = await connection.fetch("SELECT partition, next_offset FROM stream_progress WHERE topic = $1", topic)
    return {row[0]: row[1] for row in rows}


async def begin(connection: Connection, topic: str, beginnings: Mapping[int, int]) -> None:
    """Note where partitions begin that have no row yet; those that have one keep it."""
    await connection.execute(
        """
        INSERT INTO stream_progress (topic, partition, next_offset)
        SELECT $1, * FROM unnest($2::int[], $3::bigint[]) ON CONFLICT DO NOTHING
        """,
        topic,
        *zip(*sorted(beginnings.items()), strict=True),
    )


async def advance(connection: Connection, spans: Sequence[Span]) -> None:
    """Move each span's partition to at least `span.next`, and lock it until the transaction ends.

    Raises Rewound, having moved what it could, when a partition's row is missing or lies before the span's `first`:
    records between the two would be lost. Another consumer may be ahead: then the row stays, and the inbox knows.
    """
    if not spans:
        return
    ordered = sorted(spans, key=lambda span: (span.topic, span.partition))
    moved = await connection.fetch(
        """
        WITH span AS (
            SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[])
                AS span (topic, partition, first, next)
        ), locked AS (
            SELECT topic, partition FROM stream_progress JOIN span USING (topic, partition)
            WHERE next_offset >= first
            ORDER BY topic, partition FOR UPDATE OF stream_progress
        )
        UPDATE stream_progress AS stored SET next_offset = greatest(stored.next_offset, span.next)
        FROM locked JOIN span USING (topic, partition)
        WHERE stored.topic = locked.topic AND stored.partition = locked.partition
        RETURNING stored.topic, stored.partition
        """,
        [span.topic for span in ordered],
        [span.partition for span in ordered],
        [span.first for span in ordered],
        [span.next for span in ordered],
    )
    if len(moved) != len(ordered):
        found = {(row[0], row[1]) for row in moved}
        raise Rewound([span for span in ordered if (span.topic, span.partition) not in found])
