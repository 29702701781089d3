"""Cadences and their published versions.

A cadence's row is locked before its version is read, in a statement of its own: joined in the locking statement, a
cadence would vanish from the answer while a new version of it is being published.
"""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from pydantic import TypeAdapter

from cadence_engine.domain.cadence import CadenceVersion, Definition
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.storage.connection import Connection

VersionKey = tuple[str, UUID, int]
"""Company, cadence, version number."""

DEFINITION: TypeAdapter[Definition] = TypeAdapter(Definition)

VERSIONS_KEPT = 4096
# Versions are immutable, so what was once read stays true. Not for reading a version in the transaction that writes it.
_versions: OrderedDict[VersionKey, CadenceVersion] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Cadence:
    """The row of a cadence: what may change about it."""

    company_id: str
    cadence_id: UUID
    key: str
    status: CadenceStatus
    status_at: datetime
    settled: bool
    actor: str | None
    reason: str | None
    current_version: int
    free_from: datetime | None
    """While those whom a pause held go on: the next moment that is given to none of them. None: none was overdue."""

    @classmethod
    def from_row(cls, row: asyncpg.Record) -> "Cadence":
        return cls(**{**dict(row), "status": CadenceStatus(row["status"])})

    @property
    def version_key(self) -> VersionKey:
        return self.company_id, self.cadence_id, self.current_version


COLUMNS = "company_id, cadence_id, key, status, status_at, settled, actor, reason, current_version, free_from"


def to_json(definition: Definition) -> dict[str, Any]:
    """As the column `definition` holds it."""
    document: dict[str, Any] = DEFINITION.dump_python(definition, mode="json")
    return document


def same(stored: dict[str, Any], definition: Definition) -> bool:
    """Whether the stored form means `definition`. As text, since in Python 1 == 1.0 == True."""
    texts = (orjson.dumps(document, option=orjson.OPT_SORT_KEYS) for document in (stored, to_json(definition)))
    return next(texts) == next(texts)


async def versions(conn: Connection, keys: Collection[VersionKey]) -> dict[VersionKey, CadenceVersion]:
    """The versions under `keys`; unknown ones are left out. One query for what this process has not read before."""
    found: dict[VersionKey, CadenceVersion] = {}
    missing: set[VersionKey] = set()
    for key in keys:
        if version := _versions.get(key):
            found[key] = version
            _versions.move_to_end(key)
        else:
            missing.add(key)
    if missing:
        for version in await _read(conn, missing):
            key = (version.company_id, version.cadence_id, version.version)
            found[key] = _versions[key] = version
        while len(_versions) > VERSIONS_KEPT:
            _versions.popitem(last=False)
    return found


async def _read(conn: Connection, keys: Collection[VersionKey]) -> list[CadenceVersion]:
    companies, cadences, numbers = zip(*keys, strict=True)
    rows = await conn.fetch(
        """
        SELECT version.company_id, version.cadence_id, version.version, version.definition
        FROM unnest($1::text[], $2::uuid[], $3::int[]) AS wanted (company_id, cadence_id, version)
        JOIN cadence_versions version USING (company_id, cadence_id, version)
        """,
        companies,
        cadences,
        numbers,
    )
    return [CadenceVersion(row[0], row[1], row[2], DEFINITION.validate_python(row[3])) for row in rows]


async def triggered_by(conn: Connection, company_ids: Collection[str], event: str) -> list[CadenceVersion]:
    """The current versions of cadences with that trigger, of paused ones too: why these take nobody is told.

    Their rows stay locked FOR SHARE, in key order: a pause waits for the enrollments under way, later ones see it.
    """
    rows = await conn.fetch(
        """
        SELECT company_id, cadence_id, current_version FROM cadences
        WHERE company_id = ANY($1::text[]) AND trigger_event = $2 AND status IN ('active', 'paused')
        ORDER BY company_id, cadence_id
        FOR SHARE
        """,
        company_ids,
        event,
    )
    keys = [(row[0], row[1], row[2]) for row in rows]
    found = await versions(conn, keys)
    return [found[key] for key in keys]


async def current(
    conn: Connection, keys: Collection[tuple[str, UUID]]
) -> dict[tuple[str, UUID], tuple[CadenceVersion, CadenceStatus]]:
    """Current version and status under each (company, cadence id), rows locked FOR SHARE in key order; no unknown."""
    if not keys:
        return {}
    rows = await conn.fetch(
        """
        SELECT company_id, cadence_id, current_version, status
        FROM unnest($1::text[], $2::uuid[]) AS wanted (company_id, cadence_id)
        JOIN cadences USING (company_id, cadence_id)
        ORDER BY company_id, cadence_id
        FOR SHARE OF cadences
        """,
        *zip(*keys, strict=True),
    )
    found = await versions(conn, [(row[0], row[1], row[2]) for row in rows])
    return {(row[0], row[1]): (found[row[0], row[1], row[2]], CadenceStatus(row[3])) for row in rows}


async def find(
    conn: Connection, company_id: str, *, key: str | None = None, cadence_id: UUID | None = None
) -> tuple[CadenceVersion, CadenceStatus] | None:
    """The current version and status of the cadence with that key or id, its row locked FOR SHARE; None: unknown."""
    cadence = await _locked(conn, company_id, key, cadence_id, "FOR SHARE")
    if cadence is None:
        return None
    return (await versions(conn, [cadence.version_key]))[cadence.version_key], cadence.status


async def keys_of(conn: Connection, company_id: str) -> dict[str, UUID]:
    """The company's cadences: id by key; nothing is locked."""
    rows = await conn.fetch("SELECT key, cadence_id FROM cadences WHERE company_id = $1 ORDER BY key", company_id)
    return {row[0]: row[1] for row in rows}


async def ids_of(conn: Connection, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], UUID]:
    """The cadence's id under each (company, key) that there is; nothing is locked."""
    rows = await conn.fetch(
        """
        SELECT company_id, key, cadence_id FROM unnest($1::text[], $2::text[]) AS wanted (company_id, key)
        JOIN cadences USING (company_id, key)
        """,
        *zip(*keys, strict=True),
    )
    return {(row[0], row[1]): row[2] for row in rows}


async def numbers_of(conn: Connection, company_id: str, cadence_id: UUID) -> list[int]:
    """The cadence's versions, the newest first."""
    rows = await conn.fetch(
        "SELECT version FROM cadence_versions WHERE company_id = $1 AND cadence_id = $2 ORDER BY version DESC",
        company_id,
        cadence_id,
    )
    return [row[0] for row in rows]


async def lock(conn: Connection, company_id: str, key: str) -> Cadence | None:
    """The cadence with that key, its row locked for a change of it; None: unknown."""
    return await _locked(conn, company_id, key, None, "FOR NO KEY UPDATE")


async def share(conn: Connection, company_id: str, cadence_id: UUID) -> Cadence | None:
    """The cadence with that id, its status held as it is until the transaction ends; None: unknown."""
    return await _locked(conn, company_id, None, cadence_id, "FOR SHARE")


async def _locked(
    conn: Connection, company_id: str, key: str | None, cadence_id: UUID | None, strength: str
) -> Cadence | None:
    row = await conn.fetchrow(
        f"""
        SELECT {COLUMNS} FROM cadences
        WHERE company_id = $1 AND ($2::text IS NULL OR key = $2) AND ($3::uuid IS NULL OR cadence_id = $3)
        ORDER BY cadence_id LIMIT 1
        {strength}
        """,  # noqa: S608  # both are constants of this module
        company_id,
        key,
        cadence_id,
    )
    return Cadence.from_row(row) if row else None


async def create(
    conn: Connection, version: CadenceVersion, actor: str, *, status: CadenceStatus = CadenceStatus.ACTIVE
) -> bool:
    """Write a new cadence with its first version; False, and nothing written, where the key is taken."""
    inserted = await conn.fetchval(
        """
        INSERT INTO cadences (company_id, cadence_id, key, trigger_event, current_version, status, actor)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (company_id, key) DO NOTHING
        RETURNING true
        """,
        version.company_id,
        version.cadence_id,
        version.definition.key,
        version.definition.trigger.event,
        version.version,
        status,
        actor,
    )
    if not inserted:
        return False
    await _insert_version(conn, version, actor)
    return True


async def publish(conn: Connection, version: CadenceVersion, actor: str) -> None:
    """Write a further version and make it the current one; the cadence is locked for it before."""
    await _insert_version(conn, version, actor)
    await conn.execute(
        "UPDATE cadences SET current_version = $3, trigger_event = $4 WHERE company_id = $1 AND cadence_id = $2",
        version.company_id,
        version.cadence_id,
        version.version,
        version.definition.trigger.event,
    )


async def _insert_version(conn: Connection, version: CadenceVersion, actor: str) -> None:
    await conn.execute(
        """
        INSERT INTO cadence_versions (company_id, cadence_id, version, definition, actor) VALUES ($1, $2, $3, $4, $5)
        """,
        version.company_id,
        version.cadence_id,
        version.version,
        to_json(version.definition),
        actor,
    )


async def definition_of(conn: Connection, key: VersionKey) -> dict[str, Any]:
    """The stored form of one version, read afresh."""
    company_id, cadence_id, version = key
    document: dict[str, Any] = await conn.fetchval(
        "SELECT definition FROM cadence_versions WHERE company_id = $1 AND cadence_id = $2 AND version = $3",
        company_id,
        cadence_id,
        version,
    )
    return document


async def set_status(
    conn: Connection, cadence: Cadence, status: CadenceStatus, actor: str, reason: str | None
) -> Cadence:
    """Flag a locked cadence: new claims and enrollments see it at once, its live rows are still to be moved."""
    row = await conn.fetchrow(
        f"""
        UPDATE cadences SET
            status = $3, status_at = clock_timestamp(), settled = false, actor = $4, reason = $5, free_from = NULL
        WHERE company_id = $1 AND cadence_id = $2
        RETURNING {COLUMNS}
        """,  # noqa: S608  # a constant of this module
        cadence.company_id,
        cadence.cadence_id,
        status,
        actor,
        reason,
    )
    if row is None:
        raise LookupError(f"cadence {cadence.cadence_id} vanished while it was locked")
    return Cadence.from_row(row)


async def note_free_from(conn: Connection, cadence: Cadence, free_from: datetime) -> None:
    """Where the next batch of a locked, active cadence goes on with giving moments to what is overdue."""
    await conn.execute(
        "UPDATE cadences SET free_from = $3 WHERE company_id = $1 AND cadence_id = $2",
        cadence.company_id,
        cadence.cadence_id,
        free_from,
    )


async def next_unsettled(conn: Connection) -> Cadence | None:
    """A cadence whose live rows do not fit its status yet; not locked."""
    row = await conn.fetchrow(
        f"SELECT {COLUMNS} FROM cadences WHERE NOT settled ORDER BY company_id, cadence_id LIMIT 1"  # noqa: S608
    )
    return Cadence.from_row(row) if row else None


async def settle(conn: Connection, cadence: Cadence) -> bool:
    """Confirm that all live rows fit the status; False where the status was set again meanwhile."""
    confirmed = await conn.fetchval(
        """
        UPDATE cadences SET settled = true WHERE company_id = $1 AND cadence_id = $2 AND status_at = $3
        RETURNING true
        """,
        cadence.company_id,
        cadence.cadence_id,
        cadence.status_at,
    )
    return confirmed is not None
