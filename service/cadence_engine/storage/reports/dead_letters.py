"""Dead letters as operators look at them: lists, counts, and one with its record."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import asyncpg

from cadence_engine.storage import cursor
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.letter_filter import LetterFilter, LetterState
from cadence_engine.storage.relay import LetterId


class Place(NamedTuple):
    """Of the last letter of a page: the next page begins behind it."""

    created_at: datetime
    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class LetterLine:
    """A dead letter without its record, of which `bytes` says how large it is; a tombstone has none."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    created_at: datetime
    company_id: str | None
    contact_id: str | None
    reason: str
    detail: str
    bytes: int
    state: LetterState
    settled_at: datetime | None
    settled_by: str | None
    settled_reason: str | None

    @property
    def place(self) -> Place:
        return Place(self.created_at, self.topic, self.partition, self.offset)


@dataclass(frozen=True, slots=True)
class Listed:
    """A page, the newest first. `next_cursor`: for the page behind it; None: there is none."""

    lines: list[LetterLine]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class WholeLetter:
    """A dead letter with its record, which may hold personal data."""

    line: LetterLine
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """How many letters of a topic have the same reason."""

    topic: str
    reason: str
    letters: int


LINE = """
    topic, partition, record_offset, record_timestamp, created_at, company_id, contact_id, reason, detail,
    coalesce(octet_length(key), 0) + coalesce(octet_length(value), 0) AS bytes,
    state, settled_at, settled_by, settled_reason
"""


async def listed(
    connection: Connection, chosen: LetterFilter, *, after: str | None = None, at_most: int = 50
) -> Listed:
    """A page, behind the cursor `after` of the page before. Raises `storage.cursor.BadCursor`."""
    conditions, values = chosen.conditions()
    if after is not None:
        n = len(values)
        page = f"(${n + 1}::timestamptz, ${n + 2}::text, ${n + 3}::int, ${n + 4}::bigint)"
        conditions += f" AND (created_at, topic, partition, record_offset) < {page}"
        values += cursor.read(chosen, after, (datetime, str, int, int))
    rows = await connection.fetch(
        f"""
        SELECT {LINE} FROM dead_letters WHERE {conditions}
        ORDER BY created_at DESC, topic DESC, partition DESC, record_offset DESC LIMIT ${len(values) + 1}
        """,  # noqa: S608  # constants of this module and of `LetterFilter`
        *values,
        at_most + 1,
    )
    lines = [_line(row) for row in rows[:at_most]]
    return Listed(lines, cursor.write(chosen, lines[-1].place) if len(rows) > at_most else None)


async def one(connection: Connection, company_id: str | None, letter: LetterId) -> WholeLetter | None:
    """A letter of the company (None: of any, and of none), in whatever state; None where there is no such letter."""
    conditions, values = LetterFilter(company_id, state=None, letter=letter).conditions()
    row = await connection.fetchrow(
        f"SELECT {LINE}, key, value, header_names, header_values FROM dead_letters WHERE {conditions}",  # noqa: S608
        *values,
    )
    if row is None:
        return None
    return WholeLetter(
        _line(row), row["key"], row["value"], tuple(zip(row["header_names"], row["header_values"], strict=True))
    )


async def tally(connection: Connection, chosen: LetterFilter) -> Sequence[Tally]:
    """How many letters fit, by topic and reason."""
    conditions, values = chosen.conditions()
    rows = await connection.fetch(
        f"""
        SELECT topic, reason, count(*) FROM dead_letters WHERE {conditions}
        GROUP BY topic, reason ORDER BY topic, reason
        """,  # noqa: S608  # constants of `LetterFilter`
        *values,
    )
    return [Tally(*row) for row in rows]


def _line(row: asyncpg.Record) -> LetterLine:
    return LetterLine(
        topic=row["topic"],
        partition=row["partition"],
        offset=row["record_offset"],
        timestamp_ms=row["record_timestamp"],
        created_at=row["created_at"],
        company_id=row["company_id"],
        contact_id=row["contact_id"],
        reason=row["reason"],
        detail=row["detail"],
        bytes=row["bytes"],
        state=LetterState(row["state"]),
        settled_at=row["settled_at"],
        settled_by=row["settled_by"],
        settled_reason=row["settled_reason"],
    )
