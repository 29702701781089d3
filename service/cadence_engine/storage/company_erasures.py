"""Companies that were deleted, and how far their erasure has come."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cadence_engine.storage.connection import Connection


@dataclass(frozen=True, slots=True)
class Erasure:
    """Told by an event, (`source`, `event_id`), or asked for by an `actor`, whose words `reason` is.

    What is not newer than `erased_at` is forgotten. `after_contact`: the last one that was; `finished_at` None: others
    are left.
    """

    company_id: str
    erased_at: datetime
    asked_at: datetime
    source: str | None
    event_id: str | None
    actor: str | None
    reason: str | None
    after_contact: str
    finished_at: datetime | None


COLUMNS = "company_id, erased_at, asked_at, source, event_id, actor, reason, after_contact, finished_at"


async def begin(connection: Connection, asked: Sequence[Erasure]) -> dict[str, datetime]:
    """Note deletions, one of a company; one that is not newer than another before it changes nothing.

    Answers those that do, with their `erased_at`.
    """
    rows = await connection.fetch(
        """
        INSERT INTO company_erasures AS known (company_id, erased_at, source, event_id, actor, reason)
        SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[])
        ON CONFLICT (company_id) DO UPDATE SET
            erased_at = excluded.erased_at, asked_at = excluded.asked_at, source = excluded.source,
            event_id = excluded.event_id, actor = excluded.actor, reason = excluded.reason,
            after_contact = '', finished_at = NULL
        WHERE excluded.erased_at > known.erased_at
        RETURNING company_id, erased_at
        """,
        *zip(
            *(
                (each.company_id, each.erased_at, each.source, each.event_id, each.actor, each.reason)
                for each in sorted(asked, key=lambda each: each.company_id)
            ),
            strict=True,
        ),
    )
    return {row[0]: row[1] for row in rows}


async def erased_at(connection: Connection, company_ids: Collection[str]) -> dict[str, datetime]:
    """When those of the companies were deleted that ever were."""
    rows = await connection.fetch(
        "SELECT company_id, erased_at FROM company_erasures WHERE company_id = ANY($1::text[])", list(company_ids)
    )
    return {row[0]: row[1] for row in rows}


async def of(connection: Connection, company_id: str) -> Erasure | None:
    """The company's newest, not locked; None: it was never deleted."""
    row = await connection.fetchrow(
        f"SELECT {COLUMNS} FROM company_erasures WHERE company_id = $1",  # noqa: S608  # a constant of this module
        company_id,
    )
    return Erasure(*row) if row else None


async def take(connection: Connection, asked_before: timedelta) -> Erasure | None:
    """One that is not finished and was asked for so long ago, locked; None: there is none that another is not at."""
    row = await connection.fetchrow(
        f"""
        SELECT {COLUMNS} FROM company_erasures WHERE finished_at IS NULL AND asked_at < now() - $1::interval
        ORDER BY asked_at LIMIT 1 FOR UPDATE SKIP LOCKED
        """,  # noqa: S608
        asked_before,
    )
    return Erasure(*row) if row else None


async def contacts_left(connection: Connection, erasure: Erasure, rows: int) -> list[str]:
    """Up to `rows` of the company's contacts, in their order, that know something from before; not locked."""
    found = await connection.fetch(
        """
        SELECT contact_id FROM contacts
        WHERE company_id = $1 AND contact_id > $2 AND (erased_at IS NULL OR erased_at < $3)
        ORDER BY contact_id LIMIT $4
        """,
        erasure.company_id,
        erasure.after_contact,
        erasure.erased_at,
        rows,
    )
    return [row[0] for row in found]


async def advance(connection: Connection, company_id: str, after_contact: str) -> None:
    """Note how far a locked one has come."""
    await connection.execute(
        "UPDATE company_erasures SET after_contact = $2 WHERE company_id = $1", company_id, after_contact
    )


async def finish(connection: Connection, company_id: str) -> None:
    """Nothing is left of a locked one."""
    await connection.execute(
        "UPDATE company_erasures SET finished_at = clock_timestamp() WHERE company_id = $1", company_id
    )
