"""What a link does to a connection that goes through it, told with a server that says everything twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import pytest

from cadence_engine.devstack.ports import HOST
from tests.faults.links.link import Link

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def say_again(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
    writer.close()


@asynccontextmanager
async def a_link() -> AsyncIterator[Link]:
    server = await asyncio.start_server(say_again, HOST, 0)
    async with server, Link(server.sockets[0].getsockname()[1]) as link:
        yield link


async def ask(client: Client, line: bytes = b"hello\n") -> bytes:
    reader, writer = client
    writer.write(line)
    await writer.drain()
    return await reader.readline()


async def test_it_passes_and_ends_with_its_client() -> None:
    async with a_link() as link:
        reader, writer = await asyncio.open_connection(HOST, link.port)
        assert await ask((reader, writer)) == b"hello\n"
        writer.write_eof()
        assert await reader.read() == b""


async def test_slow_takes_its_time_both_ways() -> None:
    async with a_link() as link:
        client = await asyncio.open_connection(HOST, link.port)
        link.slow(latency=0.05, bytes_per_second=100)
        began = monotonic()
        assert await ask(client, b"x" * 9 + b"\n") == b"x" * 9 + b"\n"
        assert monotonic() - began >= 2 * (0.05 + 0.1)


async def test_silence_closes_nothing_and_loses_nothing() -> None:
    async with a_link() as link:
        before = await asyncio.open_connection(HOST, link.port)
        assert await ask(before) == b"hello\n"
        link.silence()
        during = await asyncio.open_connection(HOST, link.port)
        asked = [asyncio.create_task(ask(client)) for client in (before, during)]
        done, _ = await asyncio.wait(asked, timeout=0.1)
        assert not done
        link.heal()
        assert await asyncio.gather(*asked) == [b"hello\n"] * 2


async def test_cut_resets_what_is_there_and_what_comes() -> None:
    async with a_link() as link:
        before = await asyncio.open_connection(HOST, link.port)
        assert await ask(before) == b"hello\n"
        link.cut()
        with pytest.raises(ConnectionResetError):
            await ask(before)
        with pytest.raises(ConnectionResetError):
            await ask(await asyncio.open_connection(HOST, link.port))
        link.heal()
        assert await ask(await asyncio.open_connection(HOST, link.port)) == b"hello\n"
