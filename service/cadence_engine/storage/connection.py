"""The types of what storage functions are handed, and how a database shows that it cannot do it now."""

from typing import Final, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

NOT_NOW: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # of a connection whose server said in idleness that it ends it, until it has ended
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # a timeout, or the server is stopping
    asyncpg.InsufficientResourcesError,
    asyncpg.ObjectNotInPrerequisiteStateError,  # a lock that was waited for too long
    asyncpg.TransactionRollbackError,  # a deadlock or the like: tried again as a whole
    asyncpg.ReadOnlySQLTransactionError,
)
"""What passes by itself, and says nothing about what was asked: the server is away, stopping, or too busy."""
