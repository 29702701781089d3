"""A world for a test: the engine, or a copy of it with bugs, on the session's servers or on those of its module."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from cadence_engine.devstack.errors import DevstackError
from cadence_engine.devstack.postgres import Postgres
from cadence_engine.devstack.servers import Servers, running
from cadence_engine.storage.migrate import migrate
from tests.conftest import ROOT
from tests.faults.planted import Edit, copy_engine
from tests.faults.world import World, world

OpenWorld = Callable[..., AbstractAsyncContextManager[World]]


@pytest.fixture
def open_world(servers: Servers, database_url: str, topic_prefix: str, tmp_path: Path) -> OpenWorld:
    """As `world`, with `edits` for a copy of the engine."""

    def opened(*, edits: Sequence[Edit] = (), **more: Any) -> AbstractAsyncContextManager[World]:
        engine = copy_engine(tmp_path / "engine", edits) if edits else None
        return world(servers, database_url, topic_prefix, tmp_path, engine=engine, **more)

    return opened


@pytest.fixture(scope="module")
def own_servers() -> Iterator[Servers]:
    """Servers of this module's tests alone, for them to hurt; never the user's own."""
    with running(ROOT, {}) as servers:
        yield servers


@pytest.fixture
def open_own_world(own_servers: Servers, topic_prefix: str, tmp_path: Path) -> OpenWorld:
    """As `open_world`, on the module's own servers and a new database; `postgres`: another server for that."""

    @asynccontextmanager
    async def opened(
        *, edits: Sequence[Edit] = (), postgres: Postgres | None = None, **more: Any
    ) -> AsyncIterator[World]:
        engine = copy_engine(tmp_path / "engine", edits) if edits else None
        chosen = postgres or own_servers.postgres
        assert chosen is not None
        url = await _new_database(chosen)
        servers = replace(own_servers, postgres=chosen)
        try:
            async with world(servers, url, topic_prefix, tmp_path, engine=engine, **more) as around:
                yield around
        finally:
            await asyncio.to_thread(_heal, own_servers)

    return opened


async def _new_database(postgres: Postgres) -> str:
    """The URL of a migrated, empty database."""
    name = f"cadence_test_{uuid4().hex[:12]}"
    connection = await asyncpg.connect(postgres.url)
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()
    await migrate(postgres.url_of(name))
    return postgres.url_of(name)


def _heal(servers: Servers) -> None:
    """Let the next test find every server alive, whatever this one left."""
    for server in (servers.postgres, servers.valkey, servers.kafka):
        if server is None:
            continue
        with contextlib.suppress(DevstackError):
            server.resume()
        if not server.answers():
            server.restart()
