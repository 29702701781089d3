"""A company's cadences and how many contacts are where in them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

import asyncpg

from cadence_engine.domain.enrollment import LIVE, Status
from cadence_engine.domain.events import CANCELLED, COMPLETED, STARTED
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.storage.cadences import VersionKey
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.counts import OF_COMPANY

ENTERED = "entered"

# Who entered and who left is told by the log's counts, who is held by the indexes of the held ones: nobody counts all
# that wait for their time. Each needs to be seen in the same snapshot, hence one statement.
LISTED = f"""
    WITH told AS MATERIALIZED ({OF_COMPANY}), state AS (
        SELECT cadence_id, CASE type WHEN '{STARTED}' THEN '{ENTERED}' WHEN '{COMPLETED}' THEN 'completed'
            ELSE 'cancelled:' || reason END AS state, amount
        FROM told WHERE type IN ('{STARTED}', '{COMPLETED}', '{CANCELLED}')
        UNION ALL
        SELECT cadence_id, 'paused', count(*) FROM cadence_enrollments
        WHERE company_id = $1 AND status = 'paused' GROUP BY cadence_id
        UNION ALL
        SELECT cadence_id, 'parked', count(*) FROM cadence_enrollments
        WHERE company_id = $1 AND status = 'parked' GROUP BY cadence_id
    )
    SELECT k.cadence_id, k.key, v.definition ->> 'name' AS name, k.trigger_event, k.status, k.settled, k.actor,
        k.reason, k.current_version, counted.counts
    FROM cadences k
    JOIN cadence_versions v
        ON (v.company_id, v.cadence_id, v.version) = (k.company_id, k.cadence_id, k.current_version)
    LEFT JOIN (
        SELECT cadence_id, jsonb_object_agg(state, amount) AS counts
        FROM (SELECT cadence_id, state, sum(amount)::bigint AS amount FROM state GROUP BY 1, 2) AS counting
        GROUP BY cadence_id
    ) AS counted ON counted.cadence_id = k.cadence_id
    WHERE k.company_id = $1 AND ($2::text IS NULL OR k.key = $2) AND ($3 OR k.status <> 'archived')
    ORDER BY k.key
"""  # noqa: S608  # constants of the domain and of `counts`


@dataclass(frozen=True, slots=True)
class CadenceLine:
    """`counts` of enrollments per status, the cancelled ones by reason (`cancelled:replied`)."""

    company_id: str
    cadence_id: UUID
    key: str
    name: str
    trigger: str
    status: CadenceStatus
    settled: bool
    actor: str | None
    reason: str | None
    version: int
    counts: Mapping[str, int]

    @property
    def version_key(self) -> VersionKey:
        return self.company_id, self.cadence_id, self.version


async def listed(conn: Connection, company_id: str, *, archived: bool = False) -> list[CadenceLine]:
    """The cadences of the company by key, the archived ones only if asked for; only live enrollments are counted."""
    lines = [_line(company_id, row) for row in await conn.fetch(LISTED, company_id, None, archived)]
    return [replace(line, counts=_live(line.counts)) for line in lines]


async def one(conn: Connection, company_id: str, key: str) -> CadenceLine | None:
    """One cadence, all that ever entered it counted; None: the company has none with that key."""
    row = await conn.fetchrow(LISTED, company_id, key, True)
    return _line(company_id, row) if row else None


def _line(company_id: str, row: asyncpg.Record) -> CadenceLine:
    cadence_id, key, name, trigger, status, settled, actor, reason, version, told = row
    counts = _with_active(told or {})
    return CadenceLine(
        company_id, cadence_id, key, name, trigger, CadenceStatus(status), settled, actor, reason, version, counts
    )


def _with_active(told: Mapping[str, int]) -> Mapping[str, int]:
    """Whoever entered, and neither left nor is held, is active."""
    others = {state: amount for state, amount in told.items() if state != ENTERED}
    active = told.get(ENTERED, 0) - sum(others.values())
    return {Status.ACTIVE.value: active, **others} if active else others


def _live(counts: Mapping[str, int]) -> Mapping[str, int]:
    return {state: amount for state, amount in counts.items() if state in LIVE}
