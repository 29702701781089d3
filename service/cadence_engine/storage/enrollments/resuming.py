"""Paused enrollments whose time to go on by themselves has come."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from cadence_engine.storage.connection import Connection
from cadence_engine.storage.enrollments.claim import FACTS, KNOWN, Claimed, claimed
from cadence_engine.storage.enrollments.rows import COLUMNS

EnrollmentKey = tuple[str, UUID]
"""(company id, enrollment id)"""


async def find(conn: Connection, now: datetime, rows: int) -> list[tuple[str, str, UUID, UUID]]:
    """(company, contact, cadence, enrollment id) of up to `rows`, of any company, longest due first; not locked."""
    found = await conn.fetch(
        """
        SELECT company_id, contact_id, cadence_id, enrollment_id FROM cadence_enrollments
        WHERE resume_at <= $1 ORDER BY resume_at LIMIT $2
        """,
        now,
        rows,
    )
    return [(row[0], row[1], row[2], row[3]) for row in found]


async def lock(conn: Connection, now: datetime, keys: Collection[EnrollmentKey]) -> list[Claimed]:
    """Those of them whose time it still is, locked; their contacts are locked before."""
    rows = await conn.fetch(
        f"""
        WITH e AS MATERIALIZED (
            SELECT e.* FROM unnest($2::text[], $3::uuid[]) AS wanted (company_id, enrollment_id)
            JOIN cadence_enrollments e USING (company_id, enrollment_id)
            WHERE e.resume_at <= $1
            ORDER BY e.company_id, e.enrollment_id
            FOR UPDATE OF e
        )
        SELECT {COLUMNS}, {FACTS} FROM e {KNOWN} ORDER BY e.company_id, e.enrollment_id
        """,  # noqa: S608  # constants of this package
        now,
        *zip(*keys, strict=True),
    )
    return [claimed(row) for row in rows]
