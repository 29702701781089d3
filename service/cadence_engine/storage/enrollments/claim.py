"""Claiming what is due, and what is parked, together with the facts to decide it on."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import asyncpg

from cadence_engine.domain.contact import ContactKey
from cadence_engine.domain.enrollment import Enrollment
from cadence_engine.domain.facts import Facts
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.enrollments.rows import COLUMNS, WIDTH, enrollment

REVISIONS = "concat_ws('.', c.revision, o.revision, l.revision)"

FACTS = f"""
    c.contact_id, c.name, c.phone, c.locale, c.time_zone, c.last_conversation_id,
    o.company_id, o.name, o.locale, o.time_zone, l.lead_id, l.board_id, {REVISIONS}"""
"""In the order of Facts' fields."""

KNOWN = """
    JOIN contacts c USING (company_id, contact_id)
    JOIN companies o USING (company_id)
    LEFT JOIN leads l USING (company_id, lead_id)
    JOIN cadences k USING (company_id, cadence_id)"""

# The halt of all has no company, and nothing is known to differ from a null. Without coalesce() the planner would take
# it that a database of one company has hardly a row to claim.
NOT_HALTED = "coalesce(company_id <> ALL(ARRAY(SELECT company_id FROM halts WHERE ended_at IS NULL)), false)"
SINCE = "coalesce($3, '-infinity'::timestamptz)"
IS_TO_GO = f"""cadence_id <> ALL(ARRAY(SELECT cadence_id FROM cadences WHERE NOT settled AND status <> 'active'))
            AND {NOT_HALTED}"""  # noqa: S608  # constants of this module

# What is due stands in an index in its order. As a cadence may be left out, PostgreSQL takes it of a database with few
# cadences that hardly a row is wanted, and would go through all that is due, and sort it, for each batch.
IN_ORDER = "SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off"

LONGEST_DUE = f"""
    WITH e AS MATERIALIZED (
        SELECT * FROM cadence_enrollments
        WHERE status = 'active' AND next_run_at <= $1 AND next_run_at >= {SINCE} AND {IS_TO_GO}
        ORDER BY next_run_at LIMIT $2
        FOR UPDATE SKIP LOCKED
    )
    SELECT {COLUMNS}, {FACTS} FROM e {KNOWN} ORDER BY e.next_run_at
"""  # noqa: S608  # constants of this module

# By both columns at once, so that no index will do but the one of both: by the other, a company with one step due would
# be looked for among all that another one has.
DUE_OF_COMPANY = f"""status = 'active'
            AND (one.company_id, one.next_run_at) >= (company.company_id, {SINCE})
            AND (one.company_id, one.next_run_at) <= (company.company_id, $1)"""
OF_EACH_COMPANY = f"""
    WITH waiting AS MATERIALIZED (
        SELECT company_id, longest.next_run_at FROM companies AS company CROSS JOIN LATERAL (
            SELECT next_run_at FROM cadence_enrollments AS one
            WHERE {DUE_OF_COMPANY}
            ORDER BY one.company_id, next_run_at LIMIT 1
        ) AS longest WHERE {NOT_HALTED} ORDER BY next_run_at LIMIT $2
    ), e AS MATERIALIZED (
        SELECT share.* FROM waiting AS company CROSS JOIN LATERAL (
            SELECT * FROM cadence_enrollments AS one
            WHERE {DUE_OF_COMPANY} AND {IS_TO_GO}
            ORDER BY one.company_id, next_run_at LIMIT $2 / (SELECT count(*) FROM waiting) FOR UPDATE SKIP LOCKED
        ) AS share
    )
    SELECT {COLUMNS}, {FACTS} FROM e {KNOWN} ORDER BY e.next_run_at
"""  # noqa: S608

PARKED_OF = f"""
    SELECT {COLUMNS}, {FACTS}
    FROM unnest($1::text[], $2::text[]) AS wanted (company_id, contact_id)
    JOIN cadence_enrollments e USING (company_id, contact_id) {KNOWN}
    WHERE e.status = 'parked' AND e.park_reason <> 'internal_error' AND {REVISIONS} <> e.parked_knowing
    ORDER BY e.company_id, e.enrollment_id
    FOR UPDATE OF e
"""  # noqa: S608

PARKED_BY_ID = f"""
    SELECT {COLUMNS}, {FACTS} FROM cadence_enrollments e {KNOWN}
    WHERE e.company_id = $1 AND e.enrollment_id = ANY($2::uuid[]) AND e.status = 'parked'
    ORDER BY e.enrollment_id
    FOR UPDATE OF e
"""  # noqa: S608

STALE_PARKED = f"""
    SELECT e.company_id, e.contact_id FROM cadence_enrollments e {KNOWN}
    WHERE e.status = 'parked' AND e.park_reason <> 'internal_error' AND {REVISIONS} <> e.parked_knowing
        AND k.status = 'active'
    LIMIT $1
"""  # noqa: S608

Claimed = tuple[Enrollment, Facts]


async def due(
    connection: Connection, until: datetime, rows: int, *, since: datetime | None = None, fairly: bool = False
) -> list[Claimed]:
    """Lock up to `rows` active enrollments due by `until`, longest due first; skips those that others hold.

    `since`: do not look at what was due before. Where an old transaction keeps the dead entries of all that has run,
    they would be gone through each time.
    `fairly`: as many of each company that has any, so that none waits for another's backlog; may be fewer in all.
    A halted company is left out, and so is a cadence that is paused while its enrollments are still being moved: only
    `fairly` without going over what they have due. Locks nothing but enrollments. To the end of the transaction
    PostgreSQL then sorts only where nothing else will do.
    """
    claim = OF_EACH_COMPANY if fairly else LONGEST_DUE
    await connection.execute(IN_ORDER)
    return [claimed(row) for row in await connection.fetch(claim, until, rows, since)]


async def parked_of(connection: Connection, contacts: Collection[ContactKey]) -> list[Claimed]:
    """Parked enrollments of contacts whose facts changed since, locked; the contacts must be locked before."""
    if not contacts:
        return []
    return [claimed(row) for row in await connection.fetch(PARKED_OF, *zip(*contacts, strict=True))]


async def cadences_of_parked(connection: Connection, contacts: Collection[ContactKey]) -> set[tuple[str, UUID]]:
    """(company id, cadence id) of what these contacts have parked; nothing is locked."""
    if not contacts:
        return set()
    rows = await connection.fetch(
        """
        SELECT DISTINCT company_id, cadence_id
        FROM unnest($1::text[], $2::text[]) AS wanted (company_id, contact_id)
        JOIN cadence_enrollments USING (company_id, contact_id)
        WHERE status = 'parked' AND park_reason <> 'internal_error'
        """,
        *zip(*contacts, strict=True),
    )
    return {(row[0], row[1]) for row in rows}


async def parked_in(
    connection: Connection, company_id: str, cadence_id: UUID, *, after: UUID | None, rows: int
) -> list[tuple[str, UUID]]:
    """(contact id, enrollment id) of up to `rows` parked enrollments of a cadence behind `after`; nothing is locked."""
    found = await connection.fetch(
        """
        SELECT contact_id, enrollment_id FROM cadence_enrollments
        WHERE company_id = $1 AND cadence_id = $2 AND status = 'parked' AND ($3::uuid IS NULL OR enrollment_id > $3)
        ORDER BY company_id, enrollment_id LIMIT $4
        """,
        company_id,
        cadence_id,
        after,
        rows,
    )
    return [(row[0], row[1]) for row in found]


async def parked_by_id(connection: Connection, company_id: str, enrollment_ids: Collection[UUID]) -> list[Claimed]:
    """Those that still are parked, whatever the reason, locked; their contacts must be locked before."""
    return [claimed(row) for row in await connection.fetch(PARKED_BY_ID, company_id, enrollment_ids)]


async def contacts_with_stale_parked(connection: Connection, rows: int) -> list[ContactKey]:
    """Contacts that have an enrollment parked on facts that changed since; nothing is locked."""
    return [(row[0], row[1]) for row in await connection.fetch(STALE_PARKED, rows)]


def claimed(row: asyncpg.Record) -> Claimed:
    """From a row that starts with COLUMNS and goes on with FACTS."""
    return enrollment(row), Facts(*row[WIDTH:])
