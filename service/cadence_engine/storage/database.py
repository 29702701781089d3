"""Connections to PostgreSQL and the transaction in which everything happens."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TypeVar

import asyncpg
import stamina

from cadence_engine.domain.events import Event
from cadence_engine.links.postgres import advised
from cadence_engine.storage import codecs, committed, events
from cadence_engine.storage.connection import Connection, Pool

T = TypeVar("T")

# Row locks are short by force: whatever holds one and stops talking is ended by the server.
SESSION = {
    "idle_in_transaction_session_timeout": "2s",
    "lock_timeout": "5s",
    "statement_timeout": "20s",
    "jit": "off",
    "timezone": "UTC",
}
TRANSACTION_TIMEOUT_SINCE = 17
ONE_CONTACT = "contacts_pkey"
CONNECT_WITHIN = 10.0  # seconds; a server that is cut off would otherwise be waited for as long as a page may take


class UnitOfWork:
    """One transaction: its connection, the events it logs and the moments at which it makes something due.

    Handlers read and write through `connection`, and hand over what they decided with `log` and `wake`; whoever is at
    the edge opened the transaction and ends it.
    """

    def __init__(self, connection: Connection, now: datetime) -> None:
        self.connection = connection
        self.now = now
        """The database's clock when the transaction began, aware UTC."""
        self.events: list[Event] = []
        self.flushed: list[Event] = []
        self.wake_at: list[datetime] = []

    def log(self, *logged: Event) -> None:
        """Append to the log, in this order, as the transaction's last statements."""
        self.events.extend(logged)

    async def flush(self) -> None:
        """Write what was logged so far; only where nothing is locked any more, and the transaction is about to end."""
        await events.append(self.connection, self.events)
        self.flushed += self.events
        self.events.clear()

    def wake(self, *due: datetime) -> None:
        """Tell the edge that something becomes due then: a hint, the sweep finds it anyway."""
        self.wake_at.extend(due)


async def connect(
    database_url: str,
    *,
    process: str,
    size: int,
    role: str | None = None,
    connection_class: "type[asyncpg.Connection[asyncpg.Record]]" = asyncpg.Connection,
) -> Pool:
    """A pool of up to `size` connections, named `process` in pg_stat_activity; `role`: whose rights they have.

    Raises OSError or asyncpg.PostgresError where the server is not there.
    """
    with advised(database_url):
        return await asyncpg.create_pool(
            database_url,
            min_size=1,
            max_size=size,
            server_settings={
                **await _session(database_url),
                "application_name": f"cadence-engine {process}",
                **({} if role is None else {"role": role}),
            },
            connection_class=connection_class,
            init=codecs.prepare,
            timeout=CONNECT_WITHIN,
            command_timeout=30,
            max_inactive_connection_lifetime=60,
        )


async def _session(database_url: str) -> dict[str, str]:
    """What every connection starts with. Not by SET: a pool resets that whenever a connection is given back."""
    connection = await asyncpg.connect(database_url, timeout=CONNECT_WITHIN)
    try:
        has_transaction_timeout = connection.get_server_version().major >= TRANSACTION_TIMEOUT_SINCE
    finally:
        await connection.close()
    return {**SESSION, "transaction_timeout": "25s"} if has_transaction_timeout else SESSION


async def run(pool: Pool, work: Callable[[UnitOfWork], Awaitable[T]]) -> tuple[T, list[datetime]]:
    """Do `work` in one transaction; answer what it returned and the moments to wake up at.

    A deadlock or serialization failure is tried again at once with a fresh unit of work: nothing of the first was kept.
    So is a contact that another transaction has added meanwhile, and a statement that was prepared before a migration
    changed what it answers: the connections of the pool prepare it anew.
    """
    async for attempt in stamina.retry_context(on=_is_raced, attempts=10, wait_initial=0.0, wait_max=0.1):
        with attempt:
            async with unit_of_work(pool) as unit:
                answer = await work(unit)
            committed.tell([*unit.flushed, *unit.events])
            return answer, unit.wake_at
    raise AssertionError("retry_context either returns or raises")


def _is_raced(error: Exception) -> bool:
    if isinstance(error, asyncpg.UniqueViolationError):
        return error.constraint_name == ONE_CONTACT
    return isinstance(
        error, (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.InvalidCachedStatementError)
    )


@asynccontextmanager
async def unit_of_work(pool: Pool) -> AsyncIterator[UnitOfWork]:
    """A transaction that ends with its events: committed on leaving, rolled back on an error."""
    async with pool.acquire() as connection, connection.transaction():
        unit = UnitOfWork(connection, await connection.fetchval("SELECT now()"))
        yield unit
        await events.append(connection, unit.events)
