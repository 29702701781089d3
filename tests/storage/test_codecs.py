"""Instants come back from the database as they went there, whoever else wrote the same ones."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone

import asyncpg
import pytest
import pytest_asyncio

from cadence_engine.storage import database
from cadence_engine.storage.connection import Connection

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SAO_PAULO = timezone(timedelta(hours=-3))
INSTANTS = [
    NOON,
    NOON + timedelta(microseconds=1),
    NOON.astimezone(SAO_PAULO),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
]


@pytest_asyncio.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    async with (
        await database.connect(database_url, process="test", size=1) as pool,
        pool.acquire() as connection,
    ):
        yield connection


async def test_they_come_back_to_the_microsecond_and_in_utc(connection: Connection) -> None:
    rows = await connection.fetch("SELECT at FROM unnest($1::timestamptz[]) WITH ORDINALITY AS t (at, n)", INSTANTS)
    assert [row["at"] for row in rows] == INSTANTS
    assert {row["at"].tzinfo for row in rows} == {UTC}


async def test_postgres_reads_them_as_the_same_instants(connection: Connection) -> None:
    for instant in INSTANTS:
        assert await connection.fetchval("SELECT $1::timestamptz = $2::text::timestamptz", instant, instant.isoformat())


async def test_an_instant_without_a_zone_is_refused(connection: Connection) -> None:
    with pytest.raises(asyncpg.DataError, match="offset-naive"):
        await connection.fetchval("SELECT $1::timestamptz", NOON.replace(tzinfo=None))
    assert await connection.fetchval("SELECT $1::timestamptz", NOON) == NOON
