"""PostgreSQL shows the API one company's rows, also to a statement that forgot to ask for one."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from cadence_engine.storage import database, tenant
from cadence_engine.storage.connection import Connection, Pool
from cadence_engine.storage.database import UnitOfWork
from tests.api.conftest import ACME, OTHER

NOT_FOR_THE_API = {"api_keys"}
OWNED = """
    SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attname = 'company_id' AND NOT a.attisdropped
        AND c.relnamespace = 'public'::regnamespace
"""


@pytest_asyncio.fixture
async def tenants(database_url: str, pool: Pool) -> AsyncIterator[Pool]:
    """Connections of the API's role, beside those of the owner; a contact and a row of the log for two companies."""
    for company in (ACME, OTHER):
        await pool.execute("INSERT INTO companies (company_id) VALUES ($1)", company)
        await pool.execute("INSERT INTO contacts (company_id, contact_id) VALUES ($1, 'ana')", company)
        await pool.execute(
            """
            INSERT INTO cadence_events (logged_at, batch_id, position, type, event_id, company_id, data)
            VALUES (now(), 1, 1, 'cadence.enrollment.refused', gen_random_uuid(), $1, '{}')
            """,
            company,
        )
    tenants = await tenant.connect(database_url, process="test", size=2)
    yield tenants
    await tenants.close()


async def _companies_of(connection: Connection, table: str) -> list[str]:
    return [row[0] for row in await connection.fetch(f"SELECT company_id FROM {table}")]  # noqa: S608


@pytest.mark.parametrize("table", ["companies", "contacts", "cadence_events"])
async def test_a_query_without_a_company_sees_only_the_callers_rows(tenants: Pool, pool: Pool, table: str) -> None:
    assert sorted(await _companies_of(pool, table)) == [ACME, OTHER]  # type: ignore[arg-type]
    async with tenant.reading(tenants, ACME) as connection:
        assert await _companies_of(connection, table) == [ACME]
    async with tenant.reading(tenants, OTHER) as connection:
        assert await _companies_of(connection, table) == [OTHER]


async def test_outside_of_a_transaction_that_names_a_company_nothing_is_seen(tenants: Pool) -> None:
    async with tenants.acquire() as connection:
        assert await _companies_of(connection, "contacts") == []
    async with tenant.reading(tenants, ACME):
        pass
    async with tenants.acquire() as connection:  # not even where the transaction before it named one
        assert await _companies_of(connection, "contacts") == []


async def test_rows_of_another_company_can_neither_be_written_nor_changed_nor_deleted(
    tenants: Pool, pool: Pool
) -> None:
    async def change(unit: UnitOfWork) -> list[str]:
        return [
            await unit.connection.execute("UPDATE contacts SET name = 'changed'"),
            await unit.connection.execute("DELETE FROM cadence_events"),
        ]

    async def write(unit: UnitOfWork) -> str:
        return await unit.connection.execute("INSERT INTO contacts (company_id, contact_id) VALUES ($1, 'eve')", OTHER)

    assert (await tenant.run(tenants, ACME, change))[0] == ["UPDATE 1", "DELETE 1"]
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await tenant.run(tenants, ACME, write)

    assert await pool.fetchval("SELECT company_id FROM contacts WHERE name IS NULL") == OTHER
    assert await pool.fetchval("SELECT company_id FROM cadence_events") == OTHER


async def test_a_halt_of_everybody_is_seen_and_cannot_be_ended(tenants: Pool, pool: Pool) -> None:
    await pool.execute(
        """
        INSERT INTO halts (halt_id, company_id, started_by, reason)
        SELECT gen_random_uuid(), company_id, 'olga', 'test' FROM unnest($1::text[]) AS company_id
        """,
        [None, ACME, OTHER],
    )
    async with tenant.reading(tenants, ACME) as connection:
        assert await _companies_of(connection, "halts ORDER BY company_id") == [ACME, None]

    async def end(unit: UnitOfWork) -> str:
        return await unit.connection.execute("UPDATE halts SET ended_at = now(), ended_by = 'eve'")

    assert (await tenant.run(tenants, ACME, end))[0] == "UPDATE 1"


async def test_keys_are_not_to_be_read(tenants: Pool) -> None:
    async with tenant.reading(tenants, ACME) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT * FROM api_keys")


async def test_every_table_that_has_a_company_stands_behind_the_wall(pool: Pool) -> None:
    owned = {row[0] for row in await pool.fetch(OWNED)} - NOT_FOR_THE_API
    walled = {
        row[0]
        for row in await pool.fetch(
            """
            SELECT c.relname FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid
            WHERE c.relrowsecurity AND pg_get_expr(p.polqual, c.oid) LIKE '%current_setting(%cadence.company%'
                AND pg_get_expr(p.polwithcheck, c.oid) LIKE '%current_setting(%cadence.company%'
            """
        )
    }
    assert walled == owned
    assert {"companies", "contacts", "cadence_enrollments", "cadence_events"} <= owned


async def test_what_has_no_company_is_closed_but_for_what_the_log_and_the_gate_need(pool: Pool) -> None:
    rows = await pool.fetch(
        """
        SELECT table_name, string_agg(privilege_type, ' ' ORDER BY privilege_type)
        FROM information_schema.role_table_grants
        WHERE grantee = 'cadence_api' AND table_name <> ALL (
            SELECT table_name FROM information_schema.columns WHERE column_name = 'company_id')
        GROUP BY 1
        """
    )
    assert {row[0]: row[1] for row in rows} == {
        "event_batches": "INSERT SELECT",
        "inbox": "INSERT SELECT",
        "log_kept": "SELECT",
        "reply_gate": "SELECT",
    }


async def test_the_engines_own_connections_see_everybodys(database_url: str, tenants: Pool) -> None:
    async with await database.connect(database_url, process="test", size=1) as pool:
        assert await pool.fetchval("SELECT count(*) FROM contacts") == 2
