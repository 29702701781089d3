"""The command line as an operator has it, on a real database, without Redis."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
import structlog
from typer.testing import CliRunner

from cadence_engine import settings
from cadence_engine.cli.app import app
from cadence_engine.storage.connection import Pool
from cadence_engine.storage.database import connect

NOWHERE = "redis://127.0.0.1:1"


@dataclass(frozen=True, slots=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return orjson.loads(self.out)


@dataclass(frozen=True, slots=True)
class Cli:
    """Runs `cadence-engine` for the company `acme`, unless `environment` says otherwise."""

    environment: dict[str, str | None]

    async def __call__(self, *arguments: str, stdin: str = "", **environment: str) -> Said:
        settings.load.cache_clear()
        result = await asyncio.to_thread(
            CliRunner().invoke, app, arguments, input=stdin, env={**self.environment, **environment}
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(result.exit_code, result.stdout, result.stderr)

    async def fine(self, *arguments: str, stdin: str = "") -> Said:
        """The same for a command that must not be refused."""
        said = await self(*arguments, stdin=stdin)
        assert said.code == 0, said
        return said


@pytest.fixture
def cli(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    monkeypatch.chdir(tmp_path)
    logging = structlog.get_config()
    cleared: dict[str, str | None] = {name: None for name in os.environ if name.startswith("CADENCE_")}
    ours = {"DATABASE_URL": database_url, "REDIS_URL": NOWHERE, "CADENCE_COMPANY": "acme", "LOGNAME": "olga"}
    yield Cli({**cleared, **ours})
    structlog.configure(**logging)
    settings.load.cache_clear()


@pytest_asyncio.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    pool = await connect(database_url, process="test", size=4)
    try:
        yield pool
    finally:
        await pool.close()


Known = Callable[..., Awaitable[None]]


@pytest_asyncio.fixture
async def known(pool: Pool) -> Known:
    """Makes contacts known to a company, as if another service had told of them."""

    async def known(*contact_ids: str, company: str = "acme", name: str = "Ana", phone: str = "+5511999991234") -> None:
        await pool.execute("INSERT INTO companies (company_id) VALUES ($1) ON CONFLICT DO NOTHING", company)
        await pool.execute(
            """
            INSERT INTO contacts (company_id, contact_id, name, name_at, phone, phone_at)
            SELECT $1, unnest($2::text[]), $3, now(), $4, now()
            """,
            company,
            contact_ids,
            name,
            phone,
        )

    return known
