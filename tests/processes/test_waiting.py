"""A process may be started before its servers, and outlives them: it waits, says so, and goes on."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from cadence_engine.devstack.jars import cache_directory, committed_jars, fetch
from cadence_engine.devstack.kafka import Kafka
from cadence_engine.devstack.postgres import Postgres
from tests.faults.links.ambush import Ambush, Moment
from tests.faults.links.link import Link
from tests.faults.links.postgres import PostgresWatch, Statement, port_of, through
from tests.processes.conftest import Commands


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Postgres]:
    """One of this test alone, to be stopped and started."""
    server = Postgres(tmp_path / "postgres")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[Kafka]:
    """One of this test alone, to be stopped and started."""
    server = Kafka(tmp_path / "kafka", fetch(committed_jars(), cache_directory()))
    server.start()
    yield server
    server.stop()


async def test_the_worker_waits_for_postgres_then_for_the_schema(commands: Commands, postgres: Postgres) -> None:
    await asyncio.to_thread(postgres.stop)
    worker = commands.start("worker", DATABASE_URL=postgres.url)
    line = await worker.logs("waiting_for_postgres")
    assert 0 < line["seconds"] <= 5
    await worker.says(ready=False)

    await asyncio.to_thread(postgres.start)
    line = await worker.logs("waiting_for_migration")
    assert "cadence-engine migrate" in line["hint"]
    said = await worker.says(ready=False)
    assert "cadence-engine migrate" in said["blocking"]["postgres"]

    code, told = await commands.run("migrate", DATABASE_URL=postgres.url)
    assert code == 0, told
    await worker.says(ready=True)
    assert await worker.end() != (1, 0.0)


async def test_the_worker_waits_on_where_its_first_questions_are_cut_off(
    commands: Commands, postgres: Postgres
) -> None:
    await commands.run("migrate", DATABASE_URL=postgres.url)
    ambush = Ambush[Statement]()
    async with Link(port_of(postgres.url), watch=lambda: PostgresWatch(ambush)) as link:
        ambush.lay(Moment.BEFORE, lambda statement: "alembic_version" in statement.text, link.cut)
        worker = commands.start("worker", DATABASE_URL=through(link.port, postgres.url))
        await ambush.struck()
        await worker.logs("waiting_for_postgres")
        link.heal()
        await worker.says(ready=True)
        code, _ = await worker.end()
    assert code == 0


async def test_the_worker_outlives_postgres(commands: Commands, postgres: Postgres) -> None:
    await commands.run("migrate", DATABASE_URL=postgres.url)
    worker = commands.start("worker", DATABASE_URL=postgres.url)
    await worker.says(ready=True)
    await asyncio.to_thread(postgres.kill)
    said = await worker.says(ready=False)
    assert "sweep" in said["blocking"]
    await asyncio.to_thread(postgres.restart)
    await worker.says(ready=True)
    code, _ = await worker.end()
    assert code == 0


@pytest.mark.parametrize("name", ["consumer", "relay"])
async def test_consumer_and_relay_wait_for_kafka_and_its_topics(commands: Commands, kafka: Kafka, name: str) -> None:
    commands.environment["KAFKA_BOOTSTRAP_SERVERS"] = kafka.bootstrap_servers
    await asyncio.to_thread(kafka.stop)
    command = commands.start(name)
    said = await command.says(ready=False)
    assert name in said["blocking"] or "postgres" in said["blocking"]

    await asyncio.to_thread(kafka.start)
    code, told = await commands.run("topics", "create", "--partitions", "1", "--replication", "1")
    assert code == 0, told
    await command.says(ready=True)
    code, _ = await command.end()
    assert code == 0, command.output.read_text()


async def test_migrate_makes_the_schema_and_the_first_days_of_the_log(commands: Commands, postgres: Postgres) -> None:
    for _ in range(2):
        code, told = await commands.run("migrate", DATABASE_URL=postgres.url)
        assert code == 0, told
    connection = await asyncpg.connect(postgres.url)
    today = await connection.fetchval("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')")
    assert await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", f"cadence_events_{today}")
    await connection.close()
