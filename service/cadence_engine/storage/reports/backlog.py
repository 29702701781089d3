"""What waits in the database, over all companies: cheap enough to be read every few seconds, whatever the size."""

from collections.abc import Mapping
from dataclasses import dataclass

from cadence_engine.domain.enrollment import ParkReason
from cadence_engine.storage import gate
from cadence_engine.storage.connection import Connection

COUNTED_AT_MOST = 100_000
"""A count goes through all rows that it counts; how old the oldest is tells the rest."""

DUE_NOW = "status = 'active' AND next_run_at <= now()"
DUE = f"""
    SELECT count(*), min(next_run_at) FROM (
        SELECT next_run_at FROM cadence_enrollments WHERE {DUE_NOW} ORDER BY next_run_at LIMIT $1
    ) AS due
"""  # noqa: S608  # a constant of this module
# What halted companies have due is not gone through: it may be all that there is.
DUE_BESIDE_HALTS = f"""
    WITH running AS MATERIALIZED (
        SELECT company_id FROM companies
        WHERE NOT EXISTS (SELECT FROM halts WHERE halts.company_id = companies.company_id AND ended_at IS NULL)
    )
    SELECT
        (SELECT count(*) FROM (
            SELECT FROM running CROSS JOIN LATERAL (
                SELECT FROM cadence_enrollments AS one WHERE one.company_id = running.company_id AND {DUE_NOW}
                ORDER BY next_run_at LIMIT $1
            ) AS of_company LIMIT $1
        ) AS due),
        (SELECT min(longest.next_run_at) FROM running CROSS JOIN LATERAL (
            SELECT next_run_at FROM cadence_enrollments AS one WHERE one.company_id = running.company_id AND {DUE_NOW}
            ORDER BY next_run_at LIMIT 1
        ) AS longest)
"""  # noqa: S608
UNPUBLISHED = """
    SELECT count(*) FROM (
        SELECT FROM event_batches WHERE published_at IS NULL ORDER BY batch_id LIMIT $1
    ) AS unpublished
"""
PARKED = """
    SELECT park_reason, count(*) FROM (
        SELECT park_reason FROM cadence_enrollments WHERE status = 'parked' LIMIT $1
    ) AS parked GROUP BY park_reason
"""

NONE_PARKED = {reason.value: 0 for reason in ParkReason}


@dataclass(frozen=True, slots=True)
class Backlog:
    """Counts are at most COUNTED_AT_MOST; times are seconds by the database's clock, 0 where nothing waits.

    What is due leaves out the companies that are halted, but not what a halt of all holds.
    """

    due: int
    oldest_due_for: float
    unpublished: int
    oldest_unpublished_for: float
    replies_behind: float
    halted: bool
    halted_companies: int
    parked: Mapping[str, int]
    """By reason; every reason is there."""

    @classmethod
    def empty(cls) -> "Backlog":
        """Nothing waits."""
        return cls(0, 0.0, 0, 0.0, 0.0, halted=False, halted_companies=0, parked=NONE_PARKED)


async def read(connection: Connection) -> Backlog:
    """One look, by the indexes of what is due, unpublished and parked alone."""
    reading = await gate.read(connection)
    statement = DUE_BESIDE_HALTS if reading.halted_companies else DUE
    due, oldest_due_at = await connection.fetchrow(statement, COUNTED_AT_MOST)  # type: ignore[misc]  # always a row
    parked = await connection.fetch(PARKED, COUNTED_AT_MOST)
    return Backlog(
        due=due,
        oldest_due_for=max(0.0, (reading.now - oldest_due_at).total_seconds()) if oldest_due_at else 0.0,
        unpublished=await connection.fetchval(UNPUBLISHED, COUNTED_AT_MOST),
        oldest_unpublished_for=reading.unpublished_for.total_seconds(),
        replies_behind=(reading.now - reading.watermark).total_seconds(),
        halted=reading.halted,
        halted_companies=reading.halted_companies,
        parked={**NONE_PARKED, **{row[0]: row[1] for row in parked}},
    )
