"""Halts, in force and ended, and the lock by which a halt waits for the claims that did not see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from cadence_engine.storage import many
from cadence_engine.storage.connection import Connection

CLAIMING = 0x0CADE417  # advisory lock: shared by whoever claims steps, exclusive for whoever waits for them

COLUMNS = "halt_id, company_id, started_at, started_by, reason, ended_at, ended_by, end_reason"


@dataclass(frozen=True, slots=True)
class Halt:
    """`company_id` None: of every company. `ended_at` None: in force."""

    halt_id: UUID
    company_id: str | None
    started_at: datetime
    started_by: str
    reason: str
    ended_at: datetime | None
    ended_by: str | None
    end_reason: str | None

    @classmethod
    def from_row(cls, row: asyncpg.Record) -> "Halt":
        return cls(**dict(row))


async def begin(conn: Connection, halt_id: UUID, company_id: str | None, actor: str, reason: str) -> Halt | None:
    """A new halt; None, and nothing written, where one is in force already. An unknown company violates its key."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO halts (halt_id, company_id, started_by, reason) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING RETURNING {COLUMNS}
        """,  # noqa: S608  # a constant of this module
        halt_id,
        company_id,
        actor,
        reason,
    )
    return Halt.from_row(row) if row else None


async def begin_all(conn: Connection, begun: Sequence[tuple[UUID, str, str, str]]) -> None:
    """The same for many, in the order of their companies: (id, company, actor, reason) each."""
    await many.execute(
        conn,
        """
        INSERT INTO halts (halt_id, company_id, started_by, reason)
        SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
        ON CONFLICT DO NOTHING
        """,
        begun,
    )


async def end(conn: Connection, company_id: str | None, actor: str, reason: str | None) -> Halt | None:
    """End the one in force; None: there is none."""
    row = await conn.fetchrow(
        f"""
        UPDATE halts SET ended_at = clock_timestamp(), ended_by = $2, end_reason = $3
        WHERE company_id IS NOT DISTINCT FROM $1 AND ended_at IS NULL
        RETURNING {COLUMNS}
        """,  # noqa: S608
        company_id,
        actor,
        reason,
    )
    return Halt.from_row(row) if row else None


async def one_in_force(conn: Connection, company_id: str | None) -> Halt | None:
    """That of the company, or that of all; None: there is none."""
    row = await conn.fetchrow(
        f"SELECT {COLUMNS} FROM halts WHERE company_id IS NOT DISTINCT FROM $1 AND ended_at IS NULL",  # noqa: S608
        company_id,
    )
    return Halt.from_row(row) if row else None


async def holding(conn: Connection, company_id: str) -> Sequence[Halt]:
    """Those in force that hold the company's steps: its own, and that of all, which is the first."""
    rows = await conn.fetch(
        f"""
        SELECT {COLUMNS} FROM halts WHERE ended_at IS NULL AND (company_id = $1 OR company_id IS NULL)
        ORDER BY company_id NULLS FIRST
        """,  # noqa: S608
        company_id,
    )
    return [Halt.from_row(row) for row in rows]


async def history(conn: Connection, company_id: str | None, rows: int) -> Sequence[Halt]:
    """The newest `rows` that held the company, or every one where none is named; the newest first."""
    found = await conn.fetch(
        f"""
        SELECT {COLUMNS} FROM halts WHERE $1::text IS NULL OR company_id IS NULL OR company_id = $1
        ORDER BY started_at DESC, halt_id DESC LIMIT $2
        """,  # noqa: S608
        company_id,
        rows,
    )
    return [Halt.from_row(row) for row in found]


async def wait_for_claims(conn: Connection) -> None:
    """Until every transaction that may have claimed steps has ended; those that begin later wait as long.

    Raises asyncpg.LockNotAvailableError after the session's `lock_timeout`.
    """
    await conn.execute("SELECT pg_advisory_xact_lock($1)", CLAIMING)
