"""Connections that see one company alone, whatever a statement says: what the API works with.

They come as the role `cadence_api`, to which row-level security shows the rows of the company that the transaction
names, and none where it names none.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import asyncpg
import orjson

from cadence_engine.storage import database
from cadence_engine.storage.connection import Connection, Pool
from cadence_engine.storage.database import UnitOfWork

if TYPE_CHECKING:
    _Connection = asyncpg.Connection[asyncpg.Record]
else:
    _Connection = asyncpg.Connection

T = TypeVar("T")

ROLE = "cadence_api"
NAME_COMPANY = "SELECT set_config('cadence.company', $1, true)"  # until the transaction ends


class TenantConnection(_Connection):
    """PostgreSQL knows no COPY into a table with row-level security: here the same rows come by INSERT."""

    async def copy_records_to_table(  # type: ignore[override]  # what `storage` needs of it
        self,
        table_name: str,
        *,
        records: Iterable[Sequence[object]],
        columns: Iterable[str] | None = None,
        **_: Any,
    ) -> str:
        """As asyncpg's own; `columns` must be given, and no further option is known."""
        names = list(columns or ())
        rows = orjson.dumps([dict(zip(names, record, strict=True)) for record in records], default=_text).decode()
        listed = ", ".join(names)
        return await self.execute(
            f"INSERT INTO {table_name} ({listed}) SELECT {listed} "  # noqa: S608  # constants of storage
            f"FROM jsonb_populate_recordset(NULL::{table_name}, $1::text::jsonb)",
            rows,
        )


def _text(value: object) -> str:
    """As PostgreSQL reads it, what JSON does not know."""
    match value:
        case bytes():
            return f"\\x{value.hex()}"
        case UUID():  # asyncpg's own kind
            return str(value)
    raise TypeError(f"{type(value).__name__} is not written through a tenant's connection yet")


async def connect(database_url: str, *, process: str, size: int) -> Pool:
    """A pool of such connections. Raises what `database.connect` does, also where the role was not made."""
    return await database.connect(
        database_url, process=process, size=size, role=ROLE, connection_class=TenantConnection
    )


async def run(pool: Pool, company_id: str, work: Callable[[UnitOfWork], Awaitable[T]]) -> tuple[T, list[datetime]]:
    """`database.run` for one company."""

    async def within(unit: UnitOfWork) -> T:
        await unit.connection.execute(NAME_COMPANY, company_id)
        return await work(unit)

    return await database.run(pool, within)


@asynccontextmanager
async def reading(pool: Pool, company_id: str) -> AsyncIterator[Connection]:
    """A connection to read the company's rows with, all as they are at one moment."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(NAME_COMPANY, company_id)
        yield connection
