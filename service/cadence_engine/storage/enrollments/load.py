"""Enrollments of contacts, for those who have locked the contacts."""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from cadence_engine.domain.contact import ContactKey
from cadence_engine.domain.enrollment import Enrollment
from cadence_engine.domain.reentry import LastPassage
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.enrollments.rows import COLUMNS, enrollment

PassageKey = tuple[str, str, UUID]
"""(company id, contact id, cadence id)"""


async def live_of(connection: Connection, contacts: Collection[ContactKey]) -> list[Enrollment]:
    """Every live enrollment of these contacts, locked."""
    if not contacts:
        return []
    rows = await connection.fetch(
        f"""
        SELECT {COLUMNS}
        FROM unnest($1::text[], $2::text[]) AS wanted (company_id, contact_id)
        JOIN cadence_enrollments e USING (company_id, contact_id)
        JOIN cadences k USING (company_id, cadence_id)
        WHERE e.status IN ('active', 'paused', 'parked')
        ORDER BY e.company_id, e.enrollment_id
        FOR UPDATE OF e
        """,  # noqa: S608  # a constant of this package
        *zip(*contacts, strict=True),
    )
    return [enrollment(row) for row in rows]


async def completed_since(connection: Connection, since: Mapping[ContactKey, datetime | None]) -> list[Enrollment]:
    """What each of these contacts completed at that time or later; not locked, as it never changes."""
    if not since:
        return []
    rows = await connection.fetch(
        f"""
        WITH e AS MATERIALIZED (
            SELECT passage.*
            FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS wanted (company_id, contact_id, since)
            JOIN cadence_enrollments passage USING (company_id, contact_id)
            WHERE passage.status = 'completed' AND passage.ended_at >= wanted.since
        )
        SELECT {COLUMNS} FROM e JOIN cadences k USING (company_id, cadence_id)
        ORDER BY e.company_id, e.enrollment_id
        """,  # noqa: S608  # a constant of this package
        *zip(*since, strict=True),
        list(since.values()),
    )
    return [enrollment(row) for row in rows]


async def one(connection: Connection, company_id: str, enrollment_id: UUID) -> Enrollment | None:
    """One enrollment of the company, not locked; None where it has none with that id."""
    row = await connection.fetchrow(
        f"""
        SELECT {COLUMNS}
        FROM cadence_enrollments e JOIN cadences k USING (company_id, cadence_id)
        WHERE e.company_id = $1 AND e.enrollment_id = $2
        """,  # noqa: S608  # a constant of this package
        company_id,
        enrollment_id,
    )
    return None if row is None else enrollment(row)


async def live_passages(connection: Connection, contacts: Collection[ContactKey]) -> dict[PassageKey, UUID]:
    """The live enrollment's id per contact and cadence."""
    if not contacts:
        return {}
    rows = await connection.fetch(
        """
        SELECT company_id, contact_id, cadence_id, enrollment_id
        FROM unnest($1::text[], $2::text[]) AS wanted (company_id, contact_id)
        JOIN cadence_enrollments USING (company_id, contact_id)
        WHERE status IN ('active', 'paused', 'parked')
        """,
        *zip(*contacts, strict=True),
    )
    return {(row[0], row[1], row[2]): row[3] for row in rows}


async def last_passages(connection: Connection, passages: Collection[PassageKey]) -> dict[PassageKey, LastPassage]:
    """The newest ended passage under each key that has one."""
    if not passages:
        return {}
    rows = await connection.fetch(
        """
        SELECT wanted.company_id, wanted.contact_id, wanted.cadence_id, last.started_at, last.ended_at
        FROM unnest($1::text[], $2::text[], $3::uuid[]) AS wanted (company_id, contact_id, cadence_id)
        CROSS JOIN LATERAL (
            SELECT started_at, ended_at FROM cadence_enrollments e
            WHERE e.company_id = wanted.company_id AND e.contact_id = wanted.contact_id
                AND e.cadence_id = wanted.cadence_id AND e.status IN ('completed', 'cancelled')
            ORDER BY started_at DESC, ended_at DESC LIMIT 1
        ) AS last
        """,
        *zip(*passages, strict=True),
    )
    return {(row[0], row[1], row[2]): LastPassage(row[3], row[4]) for row in rows}
