"""Migrations are applied to a database that is in use."""

import asyncio
from pathlib import Path

import asyncpg

from cadence_engine.storage.connection import Connection
from cadence_engine.storage.migrate import migrate
from cadence_engine.storage.migrations import ROLLOUT_LOCK
from tests.scheduling.conftest import eventually
from tests.storage.next_migration import with_next

WAITED_FOR = "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'contacts'::regclass AND NOT granted)"
SECOND_WAITS = """
    SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database
        WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted)
"""
COLUMNS = "SELECT array_agg(attname::text) FROM pg_attribute WHERE attrelid = 'contacts'::regclass"
INDEXED = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'contacts_by_nickname'::regclass"


async def test_who_wants_a_table_that_a_migration_waits_for_does_not_wait_long(
    database_url: str, tmp_path: Path
) -> None:
    scripts = with_next(tmp_path, "in_transaction('ALTER TABLE contacts ADD COLUMN nickname text')")
    reader: Connection = await asyncpg.connect(database_url)
    other: Connection = await asyncpg.connect(database_url)
    try:
        async with reader.transaction():
            await reader.fetch("SELECT FROM contacts")
            migrating = asyncio.create_task(migrate(database_url, scripts))
            await eventually(lambda: other.fetchval(WAITED_FOR), bool)
            async with asyncio.timeout(8):
                await other.fetch("SELECT FROM contacts")
        await migrating
        assert "nickname" in await other.fetchval(COLUMNS)
    finally:
        await reader.close()
        await other.close()


async def test_a_second_rollout_waits_for_the_first_and_finishes_what_is_in_no_transaction(
    database_url: str, tmp_path: Path
) -> None:
    scripts = with_next(
        tmp_path,
        """in_transaction('ALTER TABLE contacts ADD COLUMN nickname text')
    outside_of_transaction(
        'DROP INDEX CONCURRENTLY IF EXISTS contacts_by_nickname',
        'CREATE INDEX CONCURRENTLY contacts_by_nickname ON contacts (company_id, nickname)',
    )""",
    )
    first: Connection = await asyncpg.connect(database_url)
    try:
        await first.execute("SELECT pg_advisory_lock($1)", ROLLOUT_LOCK)
        migrating = asyncio.create_task(migrate(database_url, scripts))
        await eventually(lambda: first.fetchval(SECOND_WAITS), bool)
        assert "nickname" not in await first.fetchval(COLUMNS)
        await first.execute("SELECT pg_advisory_unlock($1)", ROLLOUT_LOCK)
        await migrating
        assert await first.fetchval(INDEXED)
        assert await first.fetchval("SELECT version_num FROM alembic_version") == "next"
    finally:
        await first.close()
