"""The raw limit: SQL alone, on two connections, with nothing of Python for each row."""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter

from cadence_engine.storage import database
from cadence_engine.storage.connection import Connection
from tests.bench.stage import Ground

CONNECTIONS = 2
WIRE_TIME = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""

Portion = Callable[[Connection], Awaitable[bool]]
"""One transaction; False where nothing was left to do."""


async def race(ground: Ground, portion: Portion) -> float:
    """Seconds until nothing is left, both connections taking portion after portion."""
    url = ground.settings.database_url.get_secret_value()
    async with await database.connect(url, process="bench raw", size=CONNECTIONS) as pool:
        connections = [await pool.acquire() for _ in range(CONNECTIONS)]
        started = perf_counter()
        await asyncio.gather(*(_drain(connection, portion) for connection in connections))
        seconds = perf_counter() - started
        for connection in connections:
            await pool.release(connection)
    return seconds


async def pages(ground: Ground, rows: int, statements: tuple[str, ...]) -> float:
    """Seconds for all pages of as many records as the consumer takes at once, [$1, $2) being those of a page."""
    size = ground.settings.page_records
    starts = iter(range(0, rows, size))

    async def page(connection: Connection) -> bool:
        start = next(starts, None)
        if start is None:
            return False
        async with connection.transaction():
            for statement in statements:
                await connection.execute(statement, start, min(start + size, rows))
        return True

    return await race(ground, page)


async def _drain(connection: Connection, portion: Portion) -> None:
    while await portion(connection):
        pass


PROGRESS = """
    INSERT INTO stream_progress (topic, partition, next_offset)
    VALUES ('bench', pg_backend_pid(), greatest($1::bigint, $2::bigint))
    ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset
"""
"""A page's offset; each connection has a partition of its own, as each consumer has."""
