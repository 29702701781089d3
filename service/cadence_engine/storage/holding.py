"""The live enrollments that a pause, a resumption or the archiving of their cadence still has to move."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from cadence_engine.domain.enrollment import LIVE, Enrollment, Status
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.storage.cadences import Cadence
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.enrollments.rows import COLUMNS, enrollment

MOVES: Mapping[CadenceStatus, Collection[Status]] = {
    CadenceStatus.PAUSED: {Status.ACTIVE},
    CadenceStatus.ACTIVE: {Status.PAUSED},
    CadenceStatus.ARCHIVED: LIVE,
}
"""Which enrollments do not fit a cadence of that status; what an operator paused fits all but an archived one."""

# All live statuses are named so that the index `enrollments_one_live` applies, which is in the order of the contacts.
MISFITS = """
    company_id = $1 AND cadence_id = $2 AND status = ANY($3::text[]) AND status IN ('active', 'paused', 'parked')
        AND ($4::boolean OR paused_by IS DISTINCT FROM 'operator')"""


async def next_misfits(conn: Connection, cadence: Cadence, *, after: str | None, rows: int) -> list[tuple[str, UUID]]:
    """(contact id, enrollment id) of up to `rows` misfits behind the contact `after`, in their order; not locked."""
    found = await conn.fetch(
        f"""
        SELECT contact_id, enrollment_id FROM cadence_enrollments
        WHERE {MISFITS} AND contact_id > $5
        ORDER BY company_id, contact_id LIMIT $6
        """,  # noqa: S608  # a constant of this module
        *_of(cadence, cadence.status),
        after or "",
        rows,
    )
    return [(row[0], row[1]) for row in found]


async def lock_misfits(conn: Connection, cadence: Cadence, enrollment_ids: Sequence[UUID]) -> list[Enrollment]:
    """Those that still are misfits, locked; waits for a step under way. Their contacts are locked before."""
    rows = await conn.fetch(
        f"""
        WITH e AS MATERIALIZED (
            SELECT * FROM cadence_enrollments WHERE {MISFITS} AND enrollment_id = ANY($5::uuid[])
            ORDER BY enrollment_id
            FOR UPDATE
        )
        SELECT {COLUMNS} FROM e JOIN cadences k USING (company_id, cadence_id) ORDER BY e.enrollment_id
        """,  # noqa: S608  # constants of this module and of `rows`
        *_of(cadence, cadence.status),
        enrollment_ids,
    )
    return [enrollment(row) for row in rows]


async def count_misfits(conn: Connection, cadence: Cadence, *, status: CadenceStatus | None = None) -> int:
    """How many there are now, or would be if the cadence had that status."""
    count: int = await conn.fetchval(
        f"SELECT count(*) FROM cadence_enrollments WHERE {MISFITS}",  # noqa: S608  # a constant of this module
        *_of(cadence, status or cadence.status),
    )
    return count


def _of(cadence: Cadence, status: CadenceStatus) -> tuple[object, ...]:
    """The parameters of MISFITS."""
    return cadence.company_id, cadence.cadence_id, list(MOVES[status]), status is CadenceStatus.ARCHIVED
