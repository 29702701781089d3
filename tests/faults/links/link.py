"""A link: connections to a port of its own go on to another one, for as long as nobody hurts it. Loopback only."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import Final, Protocol, Self

from cadence_engine.devstack.ports import HOST, free_port

CHUNK: Final = 64 * 1024
RESET: Final = struct.pack("ii", 1, 0)
"""For SO_LINGER: closing resets the connection, as a cable that is pulled and a peer that forgot do."""


class Watch(Protocol):
    """Looks at one connection; what it does not yield does not pass, and what it raises aborts the connection."""

    def forth(self, chunk: bytes) -> AsyncIterator[bytes]:
        """What goes on to the server."""

    def back(self, chunk: bytes) -> AsyncIterator[bytes]:
        """What goes on to the client."""


class Unwatched:
    """Lets everything pass."""

    async def forth(self, chunk: bytes) -> AsyncIterator[bytes]:
        yield chunk

    back = forth


class Link:
    """From `port` to `target_port`; passes everything until told otherwise. An async context."""

    def __init__(self, target_port: int, *, port: int = 0, watch: Callable[[], Watch] = Unwatched) -> None:
        """Without a port it takes a free one. `watch` is called for each connection."""
        self.port = port or free_port()
        self._target_port = target_port
        self._watch = watch
        self._writers: set[asyncio.StreamWriter] = set()
        self._carrying: set[asyncio.Task[None]] = set()
        self._speaks = asyncio.Event()
        self.heal()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._carry, HOST, self.port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.cut()
        for task in self._carrying:
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    def heal(self) -> None:
        """Pass everything from now on, also what was held back."""
        self._is_cut = False
        self._latency = 0.0
        self._bytes_per_second = float("inf")
        self._speaks.set()

    def slow(self, *, latency: float = 0.0, bytes_per_second: float = float("inf")) -> None:
        """Each piece comes so many seconds late, and no faster than that."""
        self._latency = latency
        self._bytes_per_second = bytes_per_second

    def silence(self) -> None:
        """Half-open: connections stay, also new ones, no byte passes, and no end of a connection either."""
        self._speaks.clear()

    def cut(self) -> None:
        """Reset all connections, and every new one at once."""
        self._is_cut = True
        for writer in self._writers:
            _reset(writer)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)
        with self._open(writer), contextlib.suppress(OSError):
            await self._speaks.wait()
            if self._is_cut:
                raise ConnectionResetError
            far_reader, far_writer = await asyncio.open_connection(HOST, self._target_port)
            with self._open(far_writer):
                await self._both_ways(reader, writer, far_reader, far_writer)

    async def _both_ways(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        far_reader: asyncio.StreamReader,
        far_writer: asyncio.StreamWriter,
    ) -> None:
        watch = self._watch()
        ways = {
            asyncio.create_task(self._pump(reader, watch.forth, far_writer)),
            asyncio.create_task(self._pump(far_reader, watch.back, writer)),
        }
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
        if any(way.exception() for way in done):
            _reset(writer)
            _reset(far_writer)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        see: Callable[[bytes], AsyncIterator[bytes]],
        writer: asyncio.StreamWriter,
    ) -> None:
        while chunk := await reader.read(CHUNK):
            async for piece in see(chunk):
                await asyncio.sleep(self._latency + len(piece) / self._bytes_per_second)
                await self._speaks.wait()
                writer.write(piece)
                await writer.drain()
        await self._speaks.wait()

    @contextlib.contextmanager
    def _open(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        self._writers.add(writer)
        try:
            yield
        except OSError:
            _reset(writer)
            raise
        finally:
            self._writers.discard(writer)
            writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):  # it is closed already
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
