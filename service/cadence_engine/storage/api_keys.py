"""API keys. What a company is allowed to see is looked up before its company is known, so by the key's id alone."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from cadence_engine.domain.api_key import ApiKey, Scope
from cadence_engine.storage.connection import Connection

COLUMNS = """company_id, key_id, name, digest, scopes, created_at, created_by, expires_at, revoked_at, revoked_by,
    rotated_to"""


async def insert(connection: Connection, key: ApiKey) -> None:
    """Write a new key; its company is there."""
    await connection.execute(
        f"INSERT INTO api_keys ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",  # noqa: S608
        key.company_id,
        key.key_id,
        key.name,
        key.digest,
        sorted(key.scopes),
        key.created_at,
        key.created_by,
        key.expires_at,
        key.revoked_at,
        key.revoked_by,
        key.rotated_to,
    )


async def find(connection: Connection, key_id: str) -> ApiKey | None:
    """The key with that id, whichever company's; for whoever is to say which company calls."""
    row = await connection.fetchrow(f"SELECT {COLUMNS} FROM api_keys WHERE key_id = $1", key_id)  # noqa: S608
    return None if row is None else _key(row)


async def lock(connection: Connection, company_id: str, key_id: str) -> ApiKey | None:
    """The company's key with that id, held until the transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {COLUMNS} FROM api_keys WHERE company_id = $1 AND key_id = $2 FOR UPDATE",  # noqa: S608
        company_id,
        key_id,
    )
    return None if row is None else _key(row)


async def listed(connection: Connection, company_id: str) -> Sequence[ApiKey]:
    """All keys that the company ever had, the newest last."""
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM api_keys WHERE company_id = $1 ORDER BY created_at, key_id",  # noqa: S608
        company_id,
    )
    return [_key(row) for row in rows]


async def end(connection: Connection, key: ApiKey) -> None:
    """Write when and how a locked key ends; nothing else of a key changes."""
    await connection.execute(
        """
        UPDATE api_keys SET expires_at = $3, revoked_at = $4, revoked_by = $5, rotated_to = $6
        WHERE company_id = $1 AND key_id = $2
        """,
        key.company_id,
        key.key_id,
        key.expires_at,
        key.revoked_at,
        key.revoked_by,
        key.rotated_to,
    )


async def revoke_all(connection: Connection, company_id: str, *, made_until: datetime, at: datetime, by: str) -> None:
    """Revoke every key of the company that was made up to then and still may count."""
    await connection.execute(
        """
        UPDATE api_keys SET revoked_at = $3, revoked_by = $4
        WHERE company_id = $1 AND created_at <= $2 AND revoked_at IS NULL
        """,
        company_id,
        made_until,
        at,
        by,
    )


def _key(row: asyncpg.Record) -> ApiKey:
    return ApiKey(**{**dict(row), "scopes": frozenset(Scope(scope) for scope in row["scopes"])})
