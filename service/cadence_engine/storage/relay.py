"""What the relay reads and writes: its lease, the last mark, and the log's batches that are not yet on Kafka."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson

from cadence_engine.storage.connection import Connection


class Batch(NamedTuple):
    """A batch of the log; `events` is how many it holds."""

    batch_id: int
    logged_at: datetime
    events: int


class LoggedEvent(NamedTuple):
    """A row of the log; `data` is the JSON text as PostgreSQL keeps it."""

    batch_id: int
    position: int
    logged_at: datetime
    type: str
    event_id: UUID
    contact_id: str | None
    data: str


class TracedEvent(NamedTuple):
    """A row of the log whose enrollment somebody traces; `began`: the `traceparent` of what began it."""

    batch_id: int
    type: str
    event_id: UUID
    company_id: str
    enrollment_id: UUID
    began: str


class LetterId(NamedTuple):
    """Where the record of a dead letter was: the real (prefixed) topic, partition and offset."""

    topic: str
    partition: int
    offset: int

    @classmethod
    def of(cls, event: LoggedEvent) -> "LetterId":
        """What an event of type DEAD_LETTER refers to."""
        data = orjson.loads(event.data)
        return cls(data["topic"], data["partition"], data["offset"])


class Letter(NamedTuple):
    """A row of `dead_letters`: the record as it was, and why it is there."""

    id: LetterId
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    reason: str
    detail: str
    erased: bool = False
    """Its contact was deleted before it was published: the record is gone."""


class State(NamedTuple):
    """What the database knows of the last Kafka transaction: number 0 and digest "" before the first one."""

    last_mark: int
    last_digest: str


# The leader's name ends with the id of its session, which the server ends as soon as the process is dead.
TAKE_LEASE = """
UPDATE relay_state
SET leader = $1 || '/' || pg_backend_pid(), lease_until = clock_timestamp() + $2 * interval '1 second'
WHERE starts_with(leader, $1 || '/') OR lease_until < clock_timestamp()
   OR NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid::text = split_part(leader, '/', -1))
"""
RELEASE_LEASE = """
UPDATE relay_state SET leader = NULL, lease_until = '-infinity' WHERE starts_with(leader, $1 || '/')
"""
# Ids order the batches, not their commits: a batch that commits late is found by a later call, with a smaller id.
LOCK_UNPUBLISHED = """
SELECT batch_id, logged_at, coalesce((
    SELECT max(event.position) + 1 FROM cadence_events AS event
    WHERE event.logged_at = batch.logged_at AND event.batch_id = batch.batch_id
), 0) AS events
FROM event_batches AS batch WHERE published_at IS NULL
ORDER BY batch_id LIMIT $1 FOR UPDATE OF batch
"""
LOCK_NAMED = """
SELECT batch_id, logged_at FROM event_batches
WHERE published_at IS NULL AND batch_id = ANY($1::bigint[])
ORDER BY batch_id FOR UPDATE
"""
EVENTS_OF = """
SELECT event.batch_id, position, logged_at, type, event_id, contact_id, data::text
FROM unnest($1::timestamptz[], $2::bigint[]) AS batch (logged_at, batch_id)
JOIN cadence_events AS event USING (logged_at, batch_id)
ORDER BY event.batch_id, position
"""
ORIGINS = """
SELECT batch_id, traceparent FROM event_batches WHERE batch_id = ANY($1::bigint[]) AND traceparent IS NOT NULL
"""
# LIMIT lets PostgreSQL look each enrollment up, and never go through all of them.
TRACED_EVENTS = """
SELECT batch_id, type, event_id, company_id, enrollment_id, began.traceparent
FROM unnest($1::timestamptz[], $2::bigint[]) AS batch (logged_at, batch_id)
JOIN cadence_events AS event USING (logged_at, batch_id)
CROSS JOIN LATERAL (
    SELECT traceparent FROM cadence_enrollments AS enrollment
    WHERE enrollment.company_id = event.company_id AND enrollment.enrollment_id = event.enrollment_id LIMIT 1
) AS began
WHERE began.traceparent IS NOT NULL
"""
LETTER_BYTES = """
SELECT topic, partition, record_offset, coalesce(octet_length(key), 0) + coalesce(octet_length(value), 0)
FROM unnest($1::text[], $2::int[], $3::bigint[]) AS wanted (topic, partition, record_offset)
JOIN dead_letters USING (topic, partition, record_offset)
"""
LETTERS = """
SELECT topic, partition, record_offset, record_timestamp, key, value, header_names, header_values, reason, detail,
    state <> 'kept' AS erased
FROM unnest($1::text[], $2::int[], $3::bigint[]) AS wanted (topic, partition, record_offset)
JOIN dead_letters USING (topic, partition, record_offset)
"""
UNPUBLISHED_EVENTS = """
SELECT count(*) FROM event_batches JOIN cadence_events AS event USING (logged_at, batch_id)
WHERE published_at IS NULL AND event.event_id = ANY($1::uuid[])
"""
UNPUBLISHED_LETTERS = """
SELECT count(*) FROM event_batches JOIN cadence_events AS event USING (logged_at, batch_id)
JOIN unnest($1::text[], $2::int[], $3::bigint[]) AS wanted (topic, partition, record_offset)
    ON (data->>'topic', (data->>'partition')::int, (data->>'offset')::bigint) = (topic, partition, record_offset)
WHERE published_at IS NULL AND event.type = 'cadence.dead-letter'
"""
UNPUBLISHED_AT = """
SELECT DISTINCT batch.batch_id, batch.logged_at
FROM unnest($1::bigint[]) AS seen (milliseconds)
JOIN cadence_events AS event ON event.logged_at >= to_timestamp((milliseconds - 1) / 1000.0)
    AND event.logged_at <= to_timestamp((milliseconds + 1) / 1000.0)
JOIN event_batches AS batch USING (batch_id)
WHERE batch.published_at IS NULL
ORDER BY batch.batch_id
"""
LAST_PUBLISHED = """
SELECT batch_id, logged_at FROM event_batches WHERE batch_id = ANY (SELECT unnest(last_batches) FROM relay_state)
ORDER BY batch_id
"""
ADVANCE = """
UPDATE relay_state SET last_mark = $1, last_digest = $2, last_batches = $3 WHERE last_mark = $1 - 1
"""


async def take_lease(connection: Connection, leader: str, seconds: float) -> bool:
    """Become or stay the leader; False while somebody else is connected whose lease the database's clock still grants.

    Without the lease's end a leader that froze, or whose host is gone, would lead for ever.
    """
    return await connection.execute(TAKE_LEASE, leader, seconds) == "UPDATE 1"


async def release_lease(connection: Connection, leader: str) -> None:
    """Let the next in line take over at once; nothing happens where somebody else leads."""
    await connection.execute(RELEASE_LEASE, leader)


async def current_leader(connection: Connection) -> str | None:
    """Who holds a lease that has not run out."""
    leader: str | None = await connection.fetchval(
        "SELECT leader FROM relay_state WHERE lease_until >= clock_timestamp()"
    )
    return leader


async def state(connection: Connection) -> State:
    row = await connection.fetchrow("SELECT last_mark, last_digest FROM relay_state")
    if row is None:
        raise RuntimeError("relay_state has lost its row; restore the database, or insert the row that was there")
    return State(*row)


async def anything_published(connection: Connection) -> bool:
    return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM event_batches WHERE published_at IS NOT NULL)"))


async def anything_unpublished(connection: Connection) -> bool:
    return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM event_batches WHERE published_at IS NULL)"))


async def lock_unpublished(connection: Connection, at_most: int) -> list[Batch]:
    """The first unpublished batches in id order; whoever wants to change their events waits for this transaction."""
    return [Batch(*row) for row in await connection.fetch(LOCK_UNPUBLISHED, at_most)]


async def lock_named(connection: Connection, batch_ids: Collection[int]) -> list[tuple[int, datetime]]:
    """Those of the named batches that are unpublished: id and time, in id order."""
    return [(row["batch_id"], row["logged_at"]) for row in await connection.fetch(LOCK_NAMED, list(batch_ids))]


async def events_of(connection: Connection, batches: Sequence[tuple[int, datetime]]) -> list[LoggedEvent]:
    """All events of the batches, each an id and its time, in the log's order."""
    rows = await connection.fetch(EVENTS_OF, [at for _, at in batches], [batch_id for batch_id, _ in batches])
    return [LoggedEvent(*row) for row in rows]


async def origins(connection: Connection, batches: Sequence[tuple[int, datetime]]) -> dict[int, str]:
    """The `traceparent` of the transaction that wrote each of the batches, of those that are traced."""
    rows = await connection.fetch(ORIGINS, [batch_id for batch_id, _ in batches])
    return {row["batch_id"]: row["traceparent"] for row in rows}


async def traced_events(connection: Connection, batches: Sequence[tuple[int, datetime]]) -> list[TracedEvent]:
    """The events of the batches, each an id and its time, whose enrollments somebody traces."""
    rows = await connection.fetch(TRACED_EVENTS, [at for _, at in batches], [batch_id for batch_id, _ in batches])
    return [TracedEvent(*row) for row in rows]


async def unpublished_among(connection: Connection, event_ids: Collection[UUID]) -> int:
    """How many of these events are in unpublished batches."""
    return int(await connection.fetchval(UNPUBLISHED_EVENTS, list(event_ids)))


async def unpublished_letters_among(connection: Connection, letters: Collection[LetterId]) -> int:
    """How many of these dead letters the events of unpublished batches refer to."""
    return int(await connection.fetchval(UNPUBLISHED_LETTERS, *_columns(list(letters))))


async def letter_bytes(connection: Connection, ids: Sequence[LetterId]) -> dict[LetterId, int]:
    """How large the dead letters are, without reading them; one that is not there is left out."""
    rows = await connection.fetch(LETTER_BYTES, *_columns(ids))
    return {LetterId(*row[:3]): row[3] for row in rows}


async def letters(connection: Connection, ids: Sequence[LetterId]) -> dict[LetterId, Letter]:
    """The dead letters themselves; one that is not there is left out."""
    return {
        LetterId(*row[:3]): Letter(
            id=LetterId(*row[:3]),
            timestamp_ms=row["record_timestamp"],
            key=row["key"],
            value=row["value"],
            headers=tuple(zip(row["header_names"], row["header_values"], strict=True)),
            reason=row["reason"],
            detail=row["detail"],
            erased=row["erased"],
        )
        for row in await connection.fetch(LETTERS, *_columns(ids))
    }


def _columns(ids: Sequence[LetterId]) -> tuple[list[str], list[int], list[int]]:
    return [each.topic for each in ids], [each.partition for each in ids], [each.offset for each in ids]


async def set_published(connection: Connection, batch_ids: Collection[int]) -> int:
    """How many of them were unpublished until now."""
    status = await connection.execute(
        "UPDATE event_batches SET published_at = clock_timestamp()"
        " WHERE published_at IS NULL AND batch_id = ANY($1::bigint[])",
        list(batch_ids),
    )
    return int(status.rsplit(" ", 1)[1])


async def unpublished_at(connection: Connection, milliseconds: Collection[int]) -> list[tuple[int, datetime]]:
    """The unpublished batches, each with its time, that were logged within a millisecond of these (since 1970)."""
    return [(row[0], row[1]) for row in await connection.fetch(UNPUBLISHED_AT, list(milliseconds))]


async def last_published(connection: Connection) -> list[tuple[int, datetime]]:
    """The batches, each with its time, of the transaction that the last mark is of."""
    return [(row[0], row[1]) for row in await connection.fetch(LAST_PUBLISHED)]


async def advance(connection: Connection, mark: int, digest: str, batch_ids: Collection[int]) -> bool:
    """Move the last mark one on, to the transaction with these batches; False when it was not `mark - 1`."""
    return await connection.execute(ADVANCE, mark, digest, list(batch_ids)) == "UPDATE 1"


async def overrule(connection: Connection, mark: int, digest: str) -> None:
    """Set the last mark whatever it was: for the operator's decision alone."""
    await connection.execute(
        "UPDATE relay_state SET last_mark = $1, last_digest = $2, last_batches = '{}'", mark, digest
    )


async def unpublished_until(connection: Connection, batch_id: int | None = None) -> list[int]:
    """The ids of the unpublished batches up to `batch_id`, or all of them."""
    rows = await connection.fetch(
        "SELECT batch_id FROM event_batches WHERE published_at IS NULL AND ($1::bigint IS NULL OR batch_id <= $1)"
        " ORDER BY batch_id FOR UPDATE",
        batch_id,
    )
    return [row["batch_id"] for row in rows]
