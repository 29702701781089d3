"""Real servers for every test that asks for them: started once per session, a fresh database for each test."""

import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy.engine import make_url

from cadence_engine.devstack.servers import Servers, running

ROOT = Path(__file__).parent.parent
LOGS_OF_FAILED_RUN = ROOT / ".local" / "logs-of-failed-run"


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    """PostgreSQL, Valkey and Kafka; a test that kills one restarts it. Their logs are kept when a test failed."""
    with running(ROOT) as servers:
        yield servers
        if request.session.testsfailed:
            _keep_logs(servers)


@pytest_asyncio.fixture(scope="session")
async def _template_database(servers: Servers) -> AsyncIterator[str]:
    """The name of a migrated database, copied for each test: far quicker than to migrate each."""
    from cadence_engine.storage.migrate import migrate

    name = f"cadence_template_{uuid.uuid4().hex[:12]}"
    await _administer(servers, f'CREATE DATABASE "{name}"')
    await migrate(_url_of(servers, name))
    yield name
    await _administer(servers, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest_asyncio.fixture
async def database_url(servers: Servers, _template_database: str) -> AsyncIterator[str]:
    """The URL of an empty, migrated database of this test alone."""
    name = f"cadence_test_{uuid.uuid4().hex[:12]}"
    await _administer(servers, f'CREATE DATABASE "{name}" TEMPLATE "{_template_database}"')
    yield _url_of(servers, name)
    await _administer(servers, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def topic_prefix() -> str:
    """Put before every topic's name, so that tests share one Kafka without meeting."""
    return f"t{uuid.uuid4().hex[:8]}."


async def _administer(servers: Servers, statement: str) -> None:
    connection = await asyncpg.connect(servers.addresses.database_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _url_of(servers: Servers, database: str) -> str:
    url = make_url(servers.addresses.database_url).set(database=database)
    return url.render_as_string(hide_password=False)


def _keep_logs(servers: Servers) -> None:
    shutil.rmtree(LOGS_OF_FAILED_RUN, ignore_errors=True)
    LOGS_OF_FAILED_RUN.mkdir(parents=True)
    for server in (servers.postgres, servers.valkey, servers.kafka):
        if server is not None:
            shutil.copy(server.log, LOGS_OF_FAILED_RUN / f"{server.directory.name}.log")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    if exitstatus and LOGS_OF_FAILED_RUN.exists():
        terminalreporter.write_line(f"The servers' logs of this run: {LOGS_OF_FAILED_RUN}")
