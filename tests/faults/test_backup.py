"""The backup of the operations guide: pg_dump while the engine is at work, and the restore after all of it is lost."""

import asyncio
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from cadence_engine.devstack.fleet import command
from cadence_engine.devstack.postgres import programs
from tests.faults.conftest import OpenWorld
from tests.faults.plan import cadence
from tests.faults.test_restored import a_relay_does_not_start_and_says_what_to_do, start_again
from tests.faults.world import World

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]

SEND: Final = "whatsapp.send.requested"
STARTED: Final = "cadence.enrollment.started"
COMPLETED: Final = "cadence.enrollment.completed"
HELLO: Final = cadence("acme", "hello", "contact.created", 0, 1)
PHONE: Final = "+5511999990000"
KNOWN: Final = [f"known-{n}" for n in range(10)]
LOST: Final = [f"lost-{n}" for n in range(10)]
LATER: Final = [f"later-{n}" for n in range(10)]


async def test_a_dump_is_restored_and_nothing_is_sent_a_second_time(
    open_world: OpenWorld, database_url: str, tmp_path: Path
) -> None:
    dump = tmp_path / "cadence.dump"
    async with open_world(cadences=[HELLO], size={"consumer": 1, "worker": 1, "relay": 2}) as around:
        operator = Operator(around)
        await completes(around, KNOWN)
        await run("pg_dump", "--format=custom", f"--file={dump}", database_url)
        await completes(around, LOST)
        sent = sends(around)
        await around.crew.stop()

        await empty(database_url)
        await run("pg_restore", "--exit-on-error", f"--dbname={database_url}", str(dump))
        await a_relay_does_not_start_and_says_what_to_do(around)
        await operator.does("halt", "--all", "--reason", "restored")
        await operator.does("relay", "resolve", "--trust", "kafka")
        restored_at = datetime.now(UTC).isoformat()
        await start_again(around)
        await around.until(lambda: len(around.told(STARTED)) == len([*KNOWN, *LOST, *LOST]))  # read again
        await operator.does("enrollment", "cancel", "--company", "acme", "--started-after", restored_at, "--yes")
        assert sends(around) == sent, "nothing is sent until the operator has looked"
        await operator.does("unhalt", "--all", "--reason", "looked")

        await completes(around, LATER)
        assert [send for send in sends(around) if send[0] not in LATER] == sent
        assert len(sends(around)) - len(sent) == len(LATER) * len(HELLO.steps)


@dataclass(frozen=True)
class Operator:
    around: World

    async def does(self, *arguments: str) -> None:
        """A command, which must not be refused."""
        await asyncio.to_thread(command, self.around.environment, *arguments)


async def completes(around: World, contacts: list[str]) -> None:
    await around.publish("contact.created", "acme", contacts, phone=PHONE)
    await around.until(lambda: {*contacts} <= {each.data["contactId"] for each in around.told(COMPLETED)})


def sends(around: World) -> list[tuple[str, object]]:
    """Contact and identity of each."""
    return [(send.data["contactId"], send.identity) for send in around.told(SEND)]


async def run(program: str, *arguments: str) -> None:
    call = [str(programs() / program), *arguments]
    done = await asyncio.to_thread(lambda: subprocess.run(call, capture_output=True, text=True, check=False))
    assert done.returncode == 0, done.stderr


async def empty(database_url: str) -> None:
    """Make the database anew, with nothing in it."""
    url = make_url(database_url)
    connection = await asyncpg.connect(url.set(database="postgres").render_as_string(hide_password=False))
    try:
        await connection.execute(f'DROP DATABASE "{url.database}" WITH (FORCE)')
        await connection.execute(f'CREATE DATABASE "{url.database}"')
    finally:
        await connection.close()
