"""The file system of PostgreSQL's data fills up under load, until the server dies of it; then somebody makes room."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from cadence_engine.devstack.locks import is_held
from cadence_engine.devstack.postgres import Postgres
from cadence_engine.devstack.servers import Servers
from tests.faults.conftest import OpenWorld
from tests.faults.load import draw
from tests.faults.timeline import explain
from tests.faults.world import SEVERAL

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

NAME: Final = "postgres-on-small-disk"
MEGABYTES: Final = 256
CHUNKS: Final = (1024 * 1024, 4096)
LOOK_EVERY: Final = 0.1
DEAD_SECONDS: Final = 3.0
SEED: Final = 17


class PostgresOnSmallDisk(Postgres):
    """Its data alone are on the small file system: the log, which tells of the trouble, is not."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.disk = directory / "disk"
        self._cluster = self.disk / "cluster"
        self._filler = self.disk / "filler"

    def prepare(self) -> None:
        self.disk.mkdir()
        done = _run("mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m,mode=755", "tmpfs", str(self.disk))
        if done.returncode:
            pytest.skip(f"NOT TESTED: no small file system can be mounted here ({done.stderr.strip()})")
        super().prepare()

    def fill_disk(self) -> None:
        """To the last page."""
        with self._filler.open("wb", buffering=0) as filler:
            for size in CHUNKS:
                try:
                    while filler.write(bytes(size)) == size:
                        pass
                except OSError:
                    continue

    def make_room(self) -> None:
        self._filler.unlink()

    def unmount(self) -> None:
        """Also where something still holds it: then it goes when that ends."""
        if os.path.ismount(self.disk) and _run("umount", str(self.disk)).returncode:
            _run("umount", "--lazy", str(self.disk))

    def has_told(self, what: str) -> bool:
        """Whether its log holds this."""
        return what in self.log.read_text(errors="replace")


@pytest.fixture
def postgres(own_servers: Servers) -> Iterator[PostgresOnSmallDisk]:
    server = PostgresOnSmallDisk(own_servers.directory / NAME)
    for left in own_servers.directory.parent.glob(f"run-*/{NAME}"):
        if not is_held(left.parent):  # its run was killed
            PostgresOnSmallDisk(left).unmount()
    try:
        server.start()
        yield server
    finally:
        server.stop()
        server.unmount()


async def test_a_full_disk_delays_and_loses_nothing(open_own_world: OpenWorld, postgres: PostgresOnSmallDisk) -> None:
    async with open_own_world(postgres=postgres, size=SEVERAL) as around:
        playing = asyncio.create_task(around.play(draw(SEED, contacts=80, seconds=20)))
        await around.until(lambda: bool(around.told("whatsapp.send.requested")), within=60)
        connection = await asyncpg.connect(postgres.url)  # a full disk may refuse new ones
        await asyncio.to_thread(postgres.fill_disk)
        async with asyncio.timeout(60):
            while not postgres.has_told("No space left on device"):  # noqa: ASYNC110  # a log tells nobody
                await asyncio.sleep(LOOK_EVERY)
            with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
                await write_ahead_for_ever(connection)
        assert postgres.has_told("PANIC")
        await asyncio.sleep(DEAD_SECONDS)
        await asyncio.to_thread(postgres.make_room)
        if not await asyncio.to_thread(postgres.answers):
            await asyncio.to_thread(postgres.restart)
        await playing

        violations = await around.verdict(60)
        assert not violations, explain(await around.history(), violations)
        assert around.crew.ended() == []


async def write_ahead_for_ever(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Until the write-ahead log needs a new segment, for which there is no room."""
    while True:
        await connection.execute("SELECT pg_logical_emit_message(false, 'faults', repeat('x', 1000000))")


def _run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False)
