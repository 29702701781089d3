"""Each server alone: it is the real thing, and survives what tests do to it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis.asyncio import Redis
from redis.exceptions import TimeoutError as RedisTimeoutError

from cadence_engine.devstack.errors import DevstackError, ServerStartError
from cadence_engine.devstack.jars import cache_directory, committed_jars, fetch
from cadence_engine.devstack.kafka import Kafka
from cadence_engine.devstack.ports import is_open
from cadence_engine.devstack.postgres import Postgres, major, programs
from cadence_engine.devstack.valkey import Valkey


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Postgres]:
    server = Postgres(tmp_path / "postgres")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path / "valkey")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[Kafka]:
    server = Kafka(tmp_path / "kafka", fetch(committed_jars(), cache_directory()))
    server.start()
    yield server
    server.stop()


async def test_what_postgres_committed_outlives_its_kill(postgres: Postgres) -> None:
    connection = await asyncpg.connect(postgres.url)
    assert int(await connection.fetchval("SHOW server_version_num")) // 10_000 == major(programs())
    assert [await connection.fetchval(f"SHOW {name}") for name in ("fsync", "synchronous_commit")] == ["on", "on"]
    assert await connection.fetchval("SHOW server_encoding") == "UTF8"
    await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    url = postgres.url

    postgres.kill()
    with pytest.raises((OSError, asyncpg.PostgresError)):
        await asyncpg.connect(url, timeout=2)
    postgres.restart()

    assert postgres.url == url
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT answer FROM kept") == 42
    await connection.close()


async def test_no_other_local_user_gets_into_postgres(postgres: Postgres) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.url, password="guessed")


async def test_a_frozen_valkey_answers_again_once_resumed(valkey: Valkey) -> None:
    async with Redis.from_url(valkey.url, socket_timeout=0.3) as client:
        assert (await client.config_get("maxmemory-policy"))["maxmemory-policy"] == "noeviction"

        valkey.pause()
        with pytest.raises(RedisTimeoutError):
            await client.set("key", "value")
        valkey.resume()

        assert await client.ping()


async def test_valkey_forgets_when_restarted(valkey: Valkey) -> None:
    async with Redis.from_url(valkey.url) as client:
        await client.set("key", "value")
        await asyncio.to_thread(valkey.restart)
        assert await client.get("key") is None


async def test_a_server_frozen_when_stopped_is_stopped_cleanly_all_the_same(postgres: Postgres) -> None:
    postgres.pause()
    postgres.stop()

    assert not is_open(postgres.port)
    assert "database system is shut down" in postgres.log_tail()
    with pytest.raises(DevstackError, match="does not run"):
        _ = postgres.pid


async def test_records_outlive_the_kill_of_kafka(kafka: Kafka) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic("kept", num_partitions=1, replication_factor=1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, transactional_id="writer")
    async with producer, producer.transaction():
        await producer.send_and_wait("kept", b"a record")

    # A commit is acknowledged before its markers are written: read, so that the kill meets a finished transaction.
    assert await _first_record(kafka) == b"a record"

    await asyncio.to_thread(kafka.kill)
    await asyncio.to_thread(kafka.restart)

    assert await _first_record(kafka) == b"a record"


async def _first_record(kafka: Kafka) -> bytes | None:
    consumer = AIOKafkaConsumer(
        "kept",
        bootstrap_servers=kafka.bootstrap_servers,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    async with consumer:
        value: bytes | None = (await consumer.getone()).value
        return value


def test_a_server_that_cannot_start_shows_why_and_a_way_out(tmp_path: Path) -> None:
    without_jars = Kafka(tmp_path / "kafka", [])

    with pytest.raises(ServerStartError, match=r"(?s)KAFKA_BOOTSTRAP_SERVERS.*Could not find or load main class"):
        without_jars.start()
