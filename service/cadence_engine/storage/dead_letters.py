"""Records that could not be understood: kept whole, once each, until somebody settles them (see `settling_letters`)."""

from collections.abc import Sequence
from dataclasses import dataclass

from cadence_engine.domain.contact import ContactKey
from cadence_engine.storage.connection import Connection


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not be understood, whole, with its reason; it may hold personal data, `detail` does not."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    reason: str
    """A code of the contract: `cadence_contracts.Reason`."""
    detail: str
    company_id: str | None = None
    """Whom the record names, where that can be told; None: the letter is the platform's own to look at."""
    contact_id: str | None = None

    @property
    def contact_key(self) -> ContactKey | None:
        """The contact whom the record names."""
        return None if self.company_id is None or self.contact_id is None else (self.company_id, self.contact_id)


async def insert(connection: Connection, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
    """Keep those that are not kept yet; answers them, in the order given."""
    if not letters:
        return []
    ordered = sorted(letters, key=lambda letter: (letter.topic, letter.partition, letter.offset))
    rows = await connection.fetch(
        """
        INSERT INTO dead_letters (
            topic, partition, record_offset, record_timestamp, key, value, reason, detail, company_id, contact_id,
            header_names, header_values
        )
        SELECT
            letter.topic, letter.partition, letter.record_offset, letter.record_timestamp, letter.key, letter.value,
            letter.reason, letter.detail, letter.company_id, letter.contact_id,
            -- Arrays of arrays must be rectangular: each letter's headers are a slice of two flat arrays.
            ($9::text[])[letter.from_header:letter.to_header], ($10::bytea[])[letter.from_header:letter.to_header]
        FROM unnest(
            $1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bytea[], $7::text[], $8::text[],
            $11::int[], $12::int[], $13::text[], $14::text[]
        ) AS letter (
            topic, partition, record_offset, record_timestamp, key, value, reason, detail, from_header, to_header,
            company_id, contact_id
        )
        ON CONFLICT DO NOTHING
        RETURNING topic, partition, record_offset
        """,
        [letter.topic for letter in ordered],
        [letter.partition for letter in ordered],
        [letter.offset for letter in ordered],
        [letter.timestamp_ms for letter in ordered],
        [letter.key for letter in ordered],
        [letter.value for letter in ordered],
        [letter.reason for letter in ordered],
        [letter.detail for letter in ordered],
        [_storable(name) for letter in ordered for name, _ in letter.headers],
        [value for letter in ordered for _, value in letter.headers],
        *_slices(ordered),
        [letter.company_id for letter in ordered],
        [letter.contact_id for letter in ordered],
    )
    new = {(row[0], row[1], row[2]) for row in rows}
    return [letter for letter in letters if (letter.topic, letter.partition, letter.offset) in new]


def _slices(letters: Sequence[DeadLetter]) -> tuple[list[int], list[int]]:
    """Where each letter's headers lie in all letters' headers: first and last, counted from 1."""
    first, last, seen = [], [], 0
    for letter in letters:
        first.append(seen + 1)
        seen += len(letter.headers)
        last.append(seen)
    return first, last


def _storable(name: str) -> str:
    """PostgreSQL's text holds no NUL."""
    return name.replace("\0", "�")
