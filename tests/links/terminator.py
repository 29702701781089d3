"""TLS in front of a server: the embedded PostgreSQL and Valkey are built without it.

What a client meets is the real thing, handshake, names and certificates of both sides, as with stunnel or a service
mesh; only that the server itself would do it is left to the server's own tests.
"""

import asyncio
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from typing import Final

from cadence_engine.devstack.ports import HOST, free_port
from tests.links.certificates import NAME, Authority

SSL_REQUEST: Final = struct.pack(">ii", 8, 80877103)
"""How a client of PostgreSQL asks for TLS, before anything else."""


class Terminator:
    """Accepts TLS with a client certificate of the authority, and nothing else, and passes it on to `port`."""

    def __init__(self, port: int, authority: Authority, *, asked_first: bool) -> None:
        self.port = free_port()
        self.in_clear: list[bytes] = []
        """What clients sent that did not begin with TLS."""
        self._target = port
        self._asked_first = asked_first
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*authority.server)
        self._context.load_verify_locations(authority.certificate)
        self._context.verify_mode = ssl.CERT_REQUIRED

    @property
    def address(self) -> str:
        """By the name that the certificate has."""
        return f"{NAME}:{self.port}"

    @property
    def by_another_name(self) -> str:
        """The same server, by a name that the certificate does not have."""
        return f"{HOST}:{self.port}"

    async def listen(self) -> asyncio.Server:
        """Until it is closed."""
        return await asyncio.start_server(self._accept, HOST, self.port)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError):
            if self._asked_first:
                asked = await reader.readexactly(len(SSL_REQUEST))
                if asked != SSL_REQUEST:
                    self.in_clear.append(asked)
                    return
                writer.write(b"S")
            await writer.start_tls(self._context)
            from_server, to_server = await asyncio.open_connection(HOST, self._target)
            await asyncio.gather(_pump(reader, to_server), _pump(from_server, writer))
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while read := await reader.read(65536):
            writer.write(read)
            await writer.drain()
    writer.close()


@contextmanager
def serving(*terminators: Terminator) -> Iterator[None]:
    """In a thread of their own, as tests wait for processes without giving their loop a turn."""
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    ready = threading.Event()

    async def serve() -> None:
        async with AsyncExitStack() as servers:
            for terminator in terminators:
                await servers.enter_async_context(await terminator.listen())
            ready.set()
            await stop.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
