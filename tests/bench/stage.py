"""What every measurement starts from: a fresh, migrated database, topics of its own, and the engine's own processes."""

import asyncio
import contextlib
import tempfile
import uuid
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import orjson
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from cadence_engine.bus import topics
from cadence_engine.devstack.fleet import EngineProcess
from cadence_engine.devstack.servers import Servers
from cadence_engine.settings import Settings
from cadence_engine.storage import database, partitions
from cadence_engine.storage.connection import Connection, Pool
from cadence_engine.storage.migrate import migrate
from cadence_engine.telemetry import LIBRARY_ACTION

PARTITIONS = 4
NEEDED_POSTGRES = 18  # uuidv7(): the raw side draws its ids as the engine does, in the order of time
TIME_LIMIT = 120.0


class BenchError(Exception):
    """A measurement that cannot be made, or whose outcome is wrong: no number comes of it."""


@dataclass(frozen=True, slots=True)
class Ground:
    """One measurement's database and topics; `pool` speaks to the database as the engine's own pools do."""

    settings: Settings
    pool: Pool
    directory: Path

    @contextlib.asynccontextmanager
    async def patient(self) -> AsyncIterator[Connection]:
        """A connection for checks: they may take longer than the engine allows any statement of its own."""
        connection = await asyncpg.connect(self.settings.database_url.get_secret_value())
        try:
            yield connection
        finally:
            await connection.close()

    def environment(self, **more: str) -> dict[str, str]:
        """For a process of the engine."""
        return {
            "DATABASE_URL": self.settings.database_url.get_secret_value(),
            "REDIS_URL": self.settings.redis_url.get_secret_value(),
            "KAFKA_BOOTSTRAP_SERVERS": self.settings.kafka_bootstrap_servers,
            "CADENCE_TOPIC_PREFIX": self.settings.topic_prefix,
            "CADENCE_LOG_LEVEL": "warning",
            **more,
        }


class Stage:
    """Makes grounds, each a copy of one migrated database."""

    def __init__(self, servers: Servers, template: str) -> None:
        self.servers = servers
        self._template = template

    @contextlib.asynccontextmanager
    async def ground(self, *, with_topics: bool = False) -> AsyncIterator[Ground]:
        """A fresh database, and fresh topics if asked for; both are removed at the end."""
        name = f"cadence_bench_{uuid.uuid4().hex[:12]}"
        settings = _settings(self.servers, name)
        await _administer(self.servers, f'CREATE DATABASE "{name}" TEMPLATE "{self._template}"')
        try:
            if with_topics:
                await topics.create_topics(settings, partitions=PARTITIONS)
            url = settings.database_url.get_secret_value()
            async with await database.connect(url, process="bench", size=4) as pool:
                with tempfile.TemporaryDirectory(dir=self.servers.directory) as directory:
                    yield Ground(settings, pool, Path(directory))
        finally:
            if with_topics:
                await _remove_topics(settings)
            await _administer(self.servers, f'DROP DATABASE "{name}" WITH (FORCE)')


@contextlib.asynccontextmanager
async def stage(servers: Servers) -> AsyncIterator[Stage]:
    """Migrates the database that all grounds are copied from."""
    name = f"cadence_bench_{uuid.uuid4().hex[:12]}"
    await _administer(servers, f'CREATE DATABASE "{name}"')
    try:
        url = _settings(servers, name).database_url.get_secret_value()
        await migrate(url)
        async with await database.connect(url, process="bench", size=1) as pool:
            await database.run(pool, lambda unit: partitions.make_ahead(unit.connection, today_too=True))
            version = await pool.fetchval("SELECT current_setting('server_version_num')::int / 10000")
        if version < NEEDED_POSTGRES:
            raise BenchError(
                f"PostgreSQL {NEEDED_POSTGRES} or newer is needed, and DATABASE_URL names a {version}: "
                "unset it to measure on the embedded one"
            )
        yield Stage(servers, name)
    finally:
        await _administer(servers, f'DROP DATABASE "{name}" WITH (FORCE)')


@contextlib.asynccontextmanager
async def running(processes: Sequence[EngineProcess]) -> AsyncIterator[None]:
    """Processes of the engine, ready; ended at the end. Raises BenchError where one logged an error meanwhile."""
    try:
        await asyncio.to_thread(_all, processes, "start")
        yield
    finally:
        await asyncio.to_thread(_all, processes, "stop")
    for process in processes:
        errors = [line for line in process.log.read_text(encoding="utf-8").splitlines() if _is_error(line)]
        if errors:
            raise BenchError(f"the {process.name} logged {len(errors)} errors, first: {errors[0]}")


def _is_error(line: str) -> bool:
    """One of the engine's own: a library also calls an error what it goes on to try again."""
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError:
        return True  # a traceback, or worse
    return said["level"] in ("error", "critical") and said["action"] != LIBRARY_ACTION


def _all(processes: Sequence[EngineProcess], action: str) -> None:
    with ThreadPoolExecutor(len(processes)) as pool:
        for done in [pool.submit(getattr(process, action)) for process in processes]:
            done.result()


def _settings(servers: Servers, database_name: str) -> Settings:
    addresses = servers.addresses
    url = make_url(addresses.database_url).set(database=database_name).render_as_string(hide_password=False)
    return Settings(
        DATABASE_URL=SecretStr(url),
        REDIS_URL=SecretStr(addresses.redis_url),
        KAFKA_BOOTSTRAP_SERVERS=addresses.kafka_bootstrap_servers,
        topic_prefix=f"{database_name}.",
    )


async def _remove_topics(settings: Settings) -> None:
    async with topics.admin(settings) as admin:
        await admin.delete_topics([*topics.inbound(settings), *topics.outbound(settings)])


async def _administer(servers: Servers, statement: str) -> None:
    connection = await asyncpg.connect(servers.addresses.database_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
