"""The current versions of cadences, read for export and comparison; nothing is locked."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from cadence_engine.domain.cadence import CadenceVersion, Definition
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.storage import cadences
from cadence_engine.storage.cadences import DEFINITION, VersionKey
from cadence_engine.storage.connection import Connection


@dataclass(frozen=True, slots=True)
class Published:
    """A cadence as it stands; `stored` is its definition in the form that `cadences.same` takes."""

    version_key: VersionKey
    status: CadenceStatus
    stored: dict[str, Any]

    @property
    def version(self) -> int:
        return self.version_key[2]

    @property
    def definition(self) -> Definition:
        return DEFINITION.validate_python(self.stored)


async def by_key(conn: Connection, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], Published]:
    """What is published under each (company id, cadence key); without those that are not."""
    if not keys:
        return {}
    rows = await conn.fetch(
        """
        SELECT k.company_id, k.key, k.cadence_id, k.current_version, k.status, v.definition
        FROM unnest($1::text[], $2::text[]) AS wanted (company_id, key)
        JOIN cadences k USING (company_id, key)
        JOIN cadence_versions v
            ON (v.company_id, v.cadence_id, v.version) = (k.company_id, k.cadence_id, k.current_version)
        """,
        *zip(*keys, strict=True),
    )
    return {
        (company_id, key): Published((company_id, cadence_id, version), CadenceStatus(status), stored)
        for company_id, key, cadence_id, version, status, stored in rows
    }


async def current_of(conn: Connection, company_id: str) -> list[CadenceVersion]:
    """The current version of each cadence of the company that is not archived, by key."""
    rows = await conn.fetch(
        """
        SELECT company_id, cadence_id, current_version FROM cadences
        WHERE company_id = $1 AND status <> 'archived' ORDER BY key
        """,
        company_id,
    )
    keys = [(row[0], row[1], row[2]) for row in rows]
    found = await cadences.versions(conn, keys)
    return [found[key] for key in keys]


@dataclass(frozen=True, slots=True)
class VersionLine:
    """One published version; `live` is how many are on their way in it."""

    version: int
    created_at: datetime
    actor: str
    live: int


async def versions_of(conn: Connection, company_id: str, cadence_id: UUID) -> list[VersionLine]:
    """Every version of a cadence of the company, newest first."""
    rows = await conn.fetch(
        """
        SELECT version, created_at, actor, coalesce(amount, 0)
        FROM cadence_versions
        LEFT JOIN (
            SELECT version, count(*) AS amount FROM cadence_enrollments
            WHERE company_id = $1 AND cadence_id = $2 AND status IN ('active', 'paused', 'parked')
            GROUP BY version
        ) AS counted USING (version)
        WHERE company_id = $1 AND cadence_id = $2
        ORDER BY version DESC
        """,
        company_id,
        cadence_id,
    )
    return [VersionLine(*row) for row in rows]
