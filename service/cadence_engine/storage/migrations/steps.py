"""What a migration's `upgrade` does, by one of two roads. CONTRIBUTING.md says what it may do."""

from typing import cast

from alembic import op
from sqlalchemy.engine import AdaptedConnection

WAIT_FOR_LOCK = "1s"
"""Whoever wants a table that a migration waits for queues up behind it: so it gives up soon, and is begun anew."""


def in_transaction(sql: str) -> None:
    """Run statements, any number of them, in the migration's transaction."""
    if op.get_context().as_sql:
        op.execute(sql)
        return
    connection = cast("AdaptedConnection", op.get_bind().connection.dbapi_connection)
    # asyncpg takes many statements at once only outside of its prepared ones.
    connection.run_async(lambda asyncpg_connection: asyncpg_connection.execute(sql))


def outside_of_transaction(*statements: str) -> None:
    """Run each by itself, as `CREATE INDEX CONCURRENTLY` demands, for as long as it takes: nobody waits for it.

    What came before is committed, and stays if one fails. All are then run again, so let `DROP INDEX CONCURRENTLY IF
    EXISTS` come first: an index that was not finished is there, and of no use.
    """
    with op.get_context().autocommit_block():
        for statement in ("SET lock_timeout = 0", *statements, f"SET lock_timeout = '{WAIT_FOR_LOCK}'"):
            op.execute(statement)
