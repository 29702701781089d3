"""Drafts: what is being edited and is no version yet. A draft's row is locked before its cadence's."""

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from cadence_engine.domain.cadence import Definition
from cadence_engine.storage.cadences import DEFINITION, to_json
from cadence_engine.storage.connection import Connection

COLUMNS = "company_id, key, revision, definition, based_on, actor, edited_at"


@dataclass(frozen=True, slots=True)
class Draft:
    """`revision` moves with every edit. `based_on`: the version that was current when it was begun, if any."""

    company_id: str
    key: str
    revision: int
    definition: Definition
    based_on: int | None
    actor: str
    edited_at: datetime


async def lock(conn: Connection, company_id: str, key: str) -> Draft | None:
    """The draft under that key, which nobody else can change until the transaction ends; None: there is none."""
    row = await conn.fetchrow(
        f"SELECT {COLUMNS} FROM cadence_drafts WHERE company_id = $1 AND key = $2 FOR UPDATE",  # noqa: S608  # a constant of this module
        company_id,
        key,
    )
    return _draft(row)


async def claim(conn: Connection, company_id: str, key: str, actor: str) -> Draft | None:
    """The same, also where there is none: of two who begin one at once the second waits for the first."""
    await conn.execute(
        """
        INSERT INTO cadence_drafts (company_id, key, revision, actor) VALUES ($1, $2, 0, $3)
        ON CONFLICT (company_id, key) DO NOTHING
        """,
        company_id,
        key,
        actor,
    )
    return await lock(conn, company_id, key)


async def write(
    conn: Connection, company_id: str, definition: Definition, *, based_on: int | None, actor: str
) -> Draft:
    """The draft, which is claimed, with this content, under the next revision."""
    row = await conn.fetchrow(
        f"""
        UPDATE cadence_drafts SET revision = revision + 1, definition = $3, based_on = $4, actor = $5, edited_at = now()
        WHERE company_id = $1 AND key = $2
        RETURNING {COLUMNS}
        """,  # noqa: S608  # a constant of this module
        company_id,
        definition.key,
        to_json(definition),
        based_on,
        actor,
    )
    draft = _draft(row)
    if draft is None:
        raise LookupError(f"the draft of {definition.key} vanished while it was locked: its row is never deleted")
    return draft


async def close(conn: Connection, draft: Draft, actor: str) -> None:
    """Nothing is being edited any more; the next draft under the key goes on with the revisions."""
    await conn.execute(
        """
        UPDATE cadence_drafts SET definition = NULL, based_on = NULL, actor = $3, edited_at = now()
        WHERE company_id = $1 AND key = $2
        """,
        draft.company_id,
        draft.key,
        actor,
    )


async def one(conn: Connection, company_id: str, key: str) -> Draft | None:
    """The company's draft under that key, not locked; None: there is none."""
    row = await conn.fetchrow(
        f"SELECT {COLUMNS} FROM cadence_drafts WHERE company_id = $1 AND key = $2",  # noqa: S608  # a constant of this module
        company_id,
        key,
    )
    return _draft(row)


async def listed(conn: Connection, company_id: str) -> list[Draft]:
    """The company's drafts by key."""
    rows = await conn.fetch(
        f"SELECT {COLUMNS} FROM cadence_drafts WHERE company_id = $1 AND definition IS NOT NULL ORDER BY key",  # noqa: S608  # a constant of this module
        company_id,
    )
    return [draft for row in rows if (draft := _draft(row))]


def _draft(row: asyncpg.Record | None) -> Draft | None:
    if row is None or row["definition"] is None:
        return None
    return Draft(**{**dict(row), "definition": DEFINITION.validate_python(row["definition"])})
