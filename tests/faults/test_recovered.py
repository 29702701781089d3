"""PostgreSQL is lost whole, amid load, and recovered from a base backup to the end of its log.

Elsewhere the log is taken in as by a synchronous standby, so that what was committed is there. The engine runs all the
while: it needs nobody's decision, and every promise holds as if nothing had happened.
"""

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import AsyncIterator
from typing import Final

import asyncpg
import pytest

from cadence_engine.devstack.postgres import Postgres, programs
from cadence_engine.devstack.servers import Servers
from cadence_engine.devstack.unprivileged import as_needed, give
from tests.faults.conftest import OpenWorld
from tests.faults.load import draw
from tests.faults.timeline import explain

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

SIZE: Final = {"consumer": 1, "worker": 2, "relay": 2}
SEED: Final = 11
SEND: Final = "whatsapp.send.requested"
PARTIAL: Final = ".partial"


class Backup:
    """A base backup of a server and its log, kept in a directory of their own."""

    def __init__(self, of: Postgres) -> None:
        self._of = of
        self._base, self._log = of.directory / "base", of.directory / "log"

    @contextlib.asynccontextmanager
    async def kept_up(self) -> AsyncIterator[None]:
        """Within it, a commit is answered only when the backup has its log."""
        self._log.mkdir(mode=0o700)
        give(self._log)
        receiving = await asyncio.create_subprocess_exec(
            *self._command("pg_receivewal", "--synchronous", "--no-loop", f"--directory={self._log}"),
            stderr=asyncio.subprocess.DEVNULL,  # it complains that the server is gone
        )
        try:
            await self._said("SELECT count(*) > 0 FROM pg_stat_replication WHERE state = 'streaming'")
            self._base.mkdir(mode=0o700)
            give(self._base)
            base = self._command("pg_basebackup", "--checkpoint=fast", "--wal-method=none", f"--pgdata={self._base}")
            await asyncio.to_thread(subprocess.run, base, check=True)
            await self._tell("ALTER SYSTEM SET synchronous_standby_names = '*'")
            await self._tell("SELECT pg_reload_conf()")
            await self._said("SELECT count(*) > 0 FROM pg_stat_replication WHERE sync_state = 'sync'")
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                receiving.terminate()
            await receiving.wait()

    def recover(self) -> None:
        """Put it in place of the server's data, which do not matter any more, and go through the log to its end."""
        cluster = self._of.directory / "cluster"
        shutil.rmtree(cluster)
        subprocess.run(["cp", "-a", str(self._base), str(cluster)], check=True)
        for last in self._log.glob(f"*{PARTIAL}"):
            last.rename(last.with_suffix(""))
        with (cluster / "postgresql.conf").open("a") as configuration:
            configuration.write(f'restore_command = \'cp "{self._log}/%f" "%p"\'\n')
        (cluster / "recovery.signal").touch()
        self._of.start()

    def _command(self, program: str, *arguments: str) -> list[str]:
        return as_needed([str(programs() / program), f"--dbname={self._of.url_of('postgres')}", *arguments])

    async def _said(self, question: str) -> None:
        """Returns when the server answers true."""
        async with asyncio.timeout(20):
            while not await self._tell(question):  # noqa: ASYNC110  # the server tells nobody
                await asyncio.sleep(0.05)

    async def _tell(self, statement: str) -> object:
        connection = await asyncpg.connect(self._of.url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()


@pytest.fixture
def postgres(own_servers: Servers) -> Postgres:
    assert own_servers.postgres is not None
    return own_servers.postgres


async def test_recovered_to_the_end_of_its_log_the_engine_goes_on_by_itself(
    open_own_world: OpenWorld, postgres: Postgres
) -> None:
    backup = Backup(postgres)
    async with open_own_world(size=SIZE) as around:
        playing = asyncio.create_task(around.play(draw(SEED, contacts=60, seconds=20)))
        await around.until(lambda: len(around.told(SEND)) > 10)
        async with backup.kept_up():
            told = len(around.told(SEND))
            await around.until(lambda: len(around.told(SEND)) > told + 20)
            await asyncio.to_thread(postgres.kill)
        await asyncio.to_thread(backup.recover)
        await playing

        violations = await around.verdict(60)
        assert not violations, explain(await around.history(), violations)
        assert around.crew.ended() == []
