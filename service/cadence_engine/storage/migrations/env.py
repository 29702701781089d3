"""Alembic's entry: each migration in a transaction of its own, under a lock so that two rollouts do not race."""

import asyncio

import asyncpg
from alembic import context
from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from cadence_engine.storage.migrations import ROLLOUT_LOCK
from cadence_engine.storage.migrations.steps import WAIT_FOR_LOCK


def migrate(connection: Connection) -> None:
    # Of the session, as some statements run outside of transactions.
    connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": ROLLOUT_LOCK})
    connection.execute(text(f"SET lock_timeout = '{WAIT_FOR_LOCK}'"))
    connection.commit()
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


async def main(database_url: str) -> None:
    async def connect() -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(database_url)  # which knows what SQLAlchemy would not: sslmode and its like

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=pool.NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(migrate)
    finally:
        await engine.dispose()


if context.is_offline_mode():  # what the migrations would run, as SQL
    context.configure(dialect_name="postgresql", transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    asyncio.run(main(context.config.attributes["database_url"]))
