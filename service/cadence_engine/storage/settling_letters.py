"""Dead letters that somebody settles: locked, replayed or dropped, and forgotten when they are old."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from cadence_engine.domain.contact import ContactKey
from cadence_engine.storage import many
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.dead_letters import DeadLetter
from cadence_engine.storage.letter_filter import LetterFilter, LetterState
from cadence_engine.storage.relay import LetterId

BLANK = "key = NULL, value = NULL, header_names = '{}', header_values = '{}'"
ERASE = "erase"
LONGEST_TRANSACTION = timedelta(hours=1)


class Place(NamedTuple):
    """Where a letter lies in its topic."""

    partition: int
    offset: int


BEGINNING = Place(-1, -1)


async def lock(
    connection: Connection, chosen: LetterFilter, topic: str, *, after: Place, at_most: int
) -> list[DeadLetter]:
    """The next letters of the topic that are still kept, by place, held until the transaction ends.

    Whoever settles the same ones meanwhile is waited for; what they settled is not among them.
    """
    conditions, values = chosen.conditions()
    n = len(values)
    rows = await connection.fetch(
        f"""
        SELECT * FROM dead_letters
        WHERE {conditions} AND state = 'kept' AND topic = ${n + 1}
            AND (partition, record_offset) > (${n + 2}::int, ${n + 3}::bigint)
        ORDER BY topic, partition, record_offset LIMIT ${n + 4} FOR UPDATE
        """,  # noqa: S608  # constants of `LetterFilter`
        *values,
        topic,
        *after,
        at_most,
    )
    return [
        DeadLetter(
            topic=row["topic"],
            partition=row["partition"],
            offset=row["record_offset"],
            timestamp_ms=row["record_timestamp"],
            key=row["key"],
            value=row["value"],
            headers=tuple(zip(row["header_names"], row["header_values"], strict=True)),
            reason=row["reason"],
            detail=row["detail"],
            company_id=row["company_id"],
            contact_id=row["contact_id"],
        )
        for row in rows
    ]


async def unpublished(connection: Connection, letters: Sequence[DeadLetter]) -> set[LetterId]:
    """Those of the letters that are not known to be on their topic yet; their rows are still to be read."""
    rows = await connection.fetch(
        """
        WITH wanted AS (
            SELECT letter.* FROM unnest($1::text[], $2::int[], $3::bigint[]) AS named (topic, partition, record_offset)
            JOIN dead_letters letter USING (topic, partition, record_offset)
        )
        SELECT topic, partition, record_offset
        FROM event_batches batch JOIN cadence_events event USING (logged_at, batch_id)
        JOIN wanted ON ((data ->> 'topic'), (data ->> 'partition')::int, (data ->> 'offset')::bigint)
            = (topic, partition, record_offset)
        WHERE published_at IS NULL AND event.type = 'cadence.dead-letter'
            -- A letter is logged by the transaction that found it.
            AND logged_at >= (SELECT min(created_at) FROM wanted)
            AND logged_at <= (SELECT max(created_at) FROM wanted) + $4::interval
        """,
        *_columns(letters),
        LONGEST_TRANSACTION,
    )
    return {LetterId(*row) for row in rows}


async def settle(
    connection: Connection, letters: Sequence[DeadLetter], state: LetterState, *, actor: str, reason: str | None
) -> None:
    """Make tombstones of letters that are locked."""
    await connection.execute(
        f"""
        UPDATE dead_letters letter SET {BLANK},
            state = $4, settled_at = now(), settled_by = $5, settled_reason = $6
        FROM unnest($1::text[], $2::int[], $3::bigint[]) AS settled (topic, partition, record_offset)
        WHERE (letter.topic, letter.partition, letter.record_offset)
            = (settled.topic, settled.partition, settled.record_offset)
        """,  # noqa: S608  # a constant of this module
        *_columns(letters),
        state.value,
        actor,
        reason,
    )


async def tell_again(connection: Connection, letters: Sequence[DeadLetter]) -> None:
    """Write why letters, which are locked, are still dead."""
    await many.execute(
        connection,
        """
        UPDATE dead_letters letter SET reason = told.reason, detail = told.detail
        FROM unnest($1::text[], $2::int[], $3::bigint[], $4::text[], $5::text[])
            AS told (topic, partition, record_offset, reason, detail)
        WHERE (letter.topic, letter.partition, letter.record_offset) = (told.topic, told.partition, told.record_offset)
        """,
        ((letter.topic, letter.partition, letter.offset, letter.reason, letter.detail) for letter in letters),
    )


async def lock_naming(connection: Connection, contacts: Collection[ContactKey]) -> set[ContactKey]:
    """Hold every kept letter that names these contacts, to be called before they are locked; whom any names."""
    if not contacts:
        return set()
    rows = await connection.fetch(
        """
        SELECT letter.company_id, letter.contact_id
        FROM unnest($1::text[], $2::text[]) AS named (company_id, contact_id)
        JOIN dead_letters letter USING (company_id, contact_id)
        WHERE letter.contact_id IS NOT NULL AND letter.state = 'kept'
        ORDER BY letter.topic, letter.partition, letter.record_offset
        FOR UPDATE OF letter
        """,
        *zip(*sorted(set(contacts)), strict=True),
    )
    return {(row[0], row[1]) for row in rows}


async def drop_erased(connection: Connection, contacts: Collection[ContactKey]) -> int:
    """Make tombstones of kept letters that name these contacts and are not newer than their deletion; how many."""
    if not contacts:
        return 0
    status = await connection.execute(
        f"""
        UPDATE dead_letters letter SET {BLANK},
            state = 'dropped', settled_at = now(), settled_by = $3, settled_reason = 'the contact was deleted'
        FROM unnest($1::text[], $2::text[]) AS named (company_id, contact_id)
        JOIN contacts contact USING (company_id, contact_id)
        WHERE letter.company_id = named.company_id AND letter.contact_id = named.contact_id
            AND letter.contact_id IS NOT NULL AND letter.state = 'kept'
            -- A record of the future, or of no time at all, happened when it was found.
            AND (letter.record_timestamp <= extract(epoch FROM contact.erased_at) * 1000
                OR letter.created_at <= contact.erased_at)
        """,  # noqa: S608  # a constant of this module
        *zip(*sorted(set(contacts)), strict=True),
        ERASE,
    )
    return int(status.rpartition(" ")[2])


async def drop_of_company(connection: Connection, company_id: str, up_to: datetime, at_most: int) -> int:
    """Make tombstones of kept letters of the company that are not newer, whomever they name; how many."""
    status = await connection.execute(
        f"""
        UPDATE dead_letters SET {BLANK},
            state = 'dropped', settled_at = now(), settled_by = $4, settled_reason = 'the company was deleted'
        WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM dead_letters
            WHERE company_id = $1 AND state = 'kept'
                AND (record_timestamp <= extract(epoch FROM $2::timestamptz) * 1000 OR created_at <= $2)
            ORDER BY topic, partition, record_offset LIMIT $3 FOR UPDATE
        ))
        """,  # noqa: S608  # a constant of this module
        company_id,
        up_to,
        at_most,
        ERASE,
    )
    return int(status.rpartition(" ")[2])


async def lately_naming(connection: Connection, within: timedelta) -> set[ContactKey]:
    """Deleted contacts whom letters name that were found within that time."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT letter.company_id, letter.contact_id
        FROM dead_letters letter JOIN contacts contact USING (company_id, contact_id)
        WHERE letter.created_at >= now() - $1::interval AND letter.state = 'kept' AND contact.erased_at IS NOT NULL
        """,
        within,
    )
    return {(row[0], row[1]) for row in rows}


async def forget(connection: Connection, older_than: timedelta, at_most: int) -> int:
    """Delete letters, settled or not, that are older and surely published; answers how many."""
    status = await connection.execute(
        """
        DELETE FROM dead_letters WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM dead_letters
            WHERE created_at < now() - $1::interval AND created_at < (
                SELECT coalesce(min(logged_at), now()) - $3::interval FROM event_batches WHERE published_at IS NULL
            )
            ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
        ))
        """,
        older_than,
        at_most,
        LONGEST_TRANSACTION,
    )
    return int(status.rpartition(" ")[2])


def _columns(letters: Sequence[DeadLetter]) -> tuple[list[str], list[int], list[int]]:
    return (
        [letter.topic for letter in letters],
        [letter.partition for letter in letters],
        [letter.offset for letter in letters],
    )
