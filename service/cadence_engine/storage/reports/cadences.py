"""A company's cadences and how many contacts are where in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.storage.cadences import VersionKey
from cadence_engine.storage.connection import Connection

LISTED = """
    SELECT k.cadence_id, k.key, v.definition ->> 'name' AS name, k.trigger_event, k.status, k.settled, k.actor,
        k.reason, k.current_version, counted.counts
    FROM cadences k
    JOIN cadence_versions v
        ON (v.company_id, v.cadence_id, v.version) = (k.company_id, k.cadence_id, k.current_version)
    LEFT JOIN (
        SELECT cadence_id, jsonb_object_agg(state, amount) AS counts
        FROM (
            SELECT cadence_id, coalesce(status || ':' || cancel_reason, status) AS state, count(*) AS amount
            FROM cadence_enrollments
            WHERE company_id = $1 AND (NOT $2 OR status IN ('active', 'paused', 'parked'))
                AND ($3::text IS NULL
                    OR cadence_id = (SELECT cadence_id FROM cadences WHERE company_id = $1 AND key = $3))
            GROUP BY 1, 2
        ) AS counting
        GROUP BY cadence_id
    ) AS counted ON counted.cadence_id = k.cadence_id
    WHERE k.company_id = $1 AND ($3::text IS NULL OR k.key = $3) AND ($4 OR k.status <> 'archived')
    ORDER BY k.key
"""


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
    return [_line(company_id, row) for row in await conn.fetch(LISTED, company_id, True, None, archived)]


async def one(conn: Connection, company_id: str, key: str) -> CadenceLine | None:
    """One cadence, all that ever entered it counted; None: the company has none with that key."""
    row = await conn.fetchrow(LISTED, company_id, False, key, True)
    return _line(company_id, row) if row else None


def _line(company_id: str, row: asyncpg.Record) -> CadenceLine:
    cadence_id, key, name, trigger, status, settled, actor, reason, version, counts = row
    status = CadenceStatus(status)
    return CadenceLine(
        company_id, cadence_id, key, name, trigger, status, settled, actor, reason, version, counts or {}
    )
