"""PostgreSQL is restored to an earlier copy of its data: what it lost is read again, and an operator decides the rest.

Between the copy and the decision Kafka was told a history that the database has never known. To trust the database
means to tell that history again from the copy on. So the oracle judges what is left when the lost history is taken out:
every promise holds as if it had never been. What the copy held as unpublished goes out again under the same event ids.
"""

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from cadence_engine.devstack.errors import DevstackError
from cadence_engine.devstack.fleet import command
from cadence_engine.devstack.postgres import Postgres
from cadence_engine.devstack.servers import Servers
from tests.faults.conftest import OpenWorld
from tests.faults.load import draw
from tests.faults.oracle.definitions import Step
from tests.faults.oracle.history import Record
from tests.faults.oracle.judge import judge
from tests.faults.plan import as_yaml, cadence
from tests.faults.timeline import explain
from tests.faults.world import World

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

SIZE: Final = {"consumer": 1, "worker": 2, "relay": 2}
RELAYS: Final = ("relay-1", "relay-2")
SEED: Final = 5
SEND, COMPLETED = "whatsapp.send.requested", "cadence.enrollment.completed"
UNDER_WAY: Final = timedelta(seconds=5)
"""The longest that a transaction of the relay may take."""
HELLO: Final = cadence("acme", "hello", "contact.created", 0, 1)
PHONE: Final = "+5511999990000"
TEN: Final = [f"c{n}" for n in range(10)]
LOST: Final = [f"lost-{n}" for n in range(10)]
LATER: Final = [f"later-{n}" for n in range(10)]


@pytest.fixture
def postgres(own_servers: Servers) -> Postgres:
    assert own_servers.postgres is not None
    return own_servers.postgres


@dataclass(frozen=True, slots=True)
class Copy:
    """Of the data directory, made while the server stood still."""

    of: Postgres
    directory: Path
    made_at: datetime

    @classmethod
    def make(cls, postgres: Postgres, directory: Path) -> "Copy":
        made_at = datetime.now(UTC)
        postgres.stop()
        _copy(postgres.directory / "cluster", directory)
        postgres.start()
        return cls(postgres, directory, made_at)

    def put_back(self) -> None:
        self.of.stop()
        shutil.rmtree(self.of.directory / "cluster")
        _copy(self.directory, self.of.directory / "cluster")
        self.of.start()

    def told_since(self, outputs: Sequence[Record], resolved_at: datetime) -> list[Record]:
        """Without what was published from the copy to the decision, and without the transaction under way before."""
        again = {record.identity for record in outputs if record.appended_at >= resolved_at}
        return [
            record
            for record in outputs
            if record.appended_at >= resolved_at
            or (
                record.appended_at < self.made_at
                and not (record.appended_at > self.made_at - UNDER_WAY and record.identity in again)
            )
        ]


@pytest.mark.parametrize("engine", ["running", "stopped"])
async def test_what_the_database_lost_is_read_and_told_again(
    open_own_world: OpenWorld, postgres: Postgres, tmp_path: Path, engine: str
) -> None:
    async with open_own_world(size=SIZE) as around:
        playing = asyncio.create_task(around.play(draw(SEED, contacts=60, seconds=16)))
        await around.until(lambda: len(around.told(SEND)) > 10)
        copy = await asyncio.to_thread(Copy.make, postgres, tmp_path / "copy")
        told = len(around.told(SEND))
        await around.until(lambda: len(around.told(SEND)) > told + 20)
        if engine == "stopped":
            await around.crew.stop()
        await asyncio.to_thread(copy.put_back)

        if engine == "running":
            await relays_stop_and_say_what_to_do(around)
        else:
            await a_relay_does_not_start_and_says_what_to_do(around)
        with pytest.raises(DevstackError, match="They disagree, nothing was changed"):
            await resolve(around)
        resolved_at = datetime.now(UTC)
        assert "Resolved: the database was trusted" in await resolve(around, "--trust", "database")
        await start_again(around)
        await playing

        around.counted = lambda outputs: copy.told_since(outputs, resolved_at)
        violations = await around.verdict(60)
        assert not violations, explain(await around.history(), violations)
        assert around.crew.ended() == []


async def test_what_is_lost_is_read_again_though_nothing_more_arrives(
    open_own_world: OpenWorld, postgres: Postgres, tmp_path: Path
) -> None:
    hello = cadence("acme", "hello", "contact.created", 0, 4)
    async with open_own_world(size=SIZE, cadences=[hello]) as around:
        await around.publish("contact.created", "acme", TEN, phone=PHONE)
        await around.until(lambda: len(around.told(SEND)) == len(TEN))
        copy = await asyncio.to_thread(Copy.make, postgres, tmp_path / "copy")
        await around.publish("contact.created", "acme", LOST, phone=PHONE)
        await around.publish("message.received", "acme", LOST[:1])
        await around.settle(20)
        lost = {send.id for send in around.told(SEND) if send.appended_at > copy.made_at}
        known = {send.id for send in not_lost(around.told(SEND))}
        await asyncio.to_thread(copy.put_back)
        await relays_stop_and_say_what_to_do(around)
        resolved_at = datetime.now(UTC)
        await resolve(around, "--trust", "database")
        await start_again(around)

        around.counted = lambda outputs: copy.told_since(outputs, resolved_at)
        assert await around.verdict(30) == []
        again = {send.id for send in around.told(SEND) if send.appended_at >= resolved_at}
        assert lost & known, "the copy was to be made while steps were still to come"
        assert lost & known <= again, "whoever sends could not tell that it is the same message"


async def test_when_kafka_is_trusted_nothing_logged_so_far_is_published_again(
    open_own_world: OpenWorld, postgres: Postgres, tmp_path: Path
) -> None:
    async with open_own_world(size=SIZE, cadences=[HELLO]) as around:
        await around.publish("contact.created", "acme", TEN, phone=PHONE)
        await around.settle(20)
        copy = await asyncio.to_thread(Copy.make, postgres, tmp_path / "copy")
        await around.publish("contact.created", "acme", LOST, phone=PHONE)
        await around.settle(20)
        await asyncio.to_thread(copy.put_back)
        await relays_stop_and_say_what_to_do(around)
        await resolve(around, "--trust", "kafka")
        await start_again(around)

        await around.publish("contact.created", "acme", LATER, phone=PHONE)
        await around.until(lambda: {each.data["contactId"] for each in around.told(COMPLETED)} >= {*TEN, *LATER})
        history = await around.history()
        published = [record.identity for record in history.outputs]
        assert len(set(published)) == len(published)
        assert judge(replace(history, inputs=not_lost(history.inputs), outputs=not_lost(history.outputs))) == []


def not_lost(records: Sequence[Record]) -> list[Record]:
    return [record for record in records if record.data["contactId"] not in LOST]


async def test_a_restart_forgets_the_versions_of_the_lost_history(
    open_own_world: OpenWorld, postgres: Postgres, tmp_path: Path
) -> None:
    async with open_own_world(size=SIZE, cadences=[HELLO]) as around:
        copy = await asyncio.to_thread(Copy.make, postgres, tmp_path / "copy")
        assert await template_after(around, "lost_version", "before", tmp_path) == "lost_version"
        await asyncio.to_thread(copy.put_back)
        await relays_stop_and_say_what_to_do(around)
        await resolve(around, "--trust", "database")
        await around.crew.stop()
        await around.crew.start()

        assert await template_after(around, "new_version", "after", tmp_path) == "new_version"


async def template_after(around: World, template: str, contact: str, directory: Path) -> str:
    """What a contact is sent that is created after a version with this template was applied."""
    file = directory / f"{template}.yaml"
    file.write_text(as_yaml([replace(HELLO, steps=(Step("step-1", template),))]))
    await asyncio.to_thread(command, around.environment, "apply", str(file))
    await around.publish("contact.created", "acme", [contact], phone=PHONE)

    def sends() -> list[Record]:
        return [send for send in around.told(SEND) if send.data["contactId"] == contact]

    await around.until(lambda: bool(sends()))
    name: str = sends()[0].data["template"]["id"]
    return name


async def relays_stop_and_say_what_to_do(around: World) -> None:
    """Whoever leads ends, and so does whoever leads then."""
    await around.until(lambda: set(around.crew.ended()) == set(RELAYS))
    for relay in RELAYS:
        says_what_to_do(around.crew.log(relay))


async def a_relay_does_not_start_and_says_what_to_do(around: World) -> None:
    relay = RELAYS[0]
    with contextlib.suppress(DevstackError):  # it has ended before it was ready, or soon after
        await around.crew.revive(relay)
        await around.until(lambda: relay in around.crew.ended())
    says_what_to_do(around.crew.log(relay))


def says_what_to_do(log: str) -> None:
    assert "relay_history_mismatch" in log
    assert "cadence-engine relay resolve --trust database" in log


async def resolve(around: World, *arguments: str) -> str:
    """By command, as the error says."""
    return await asyncio.to_thread(command, around.environment, "relay", "resolve", *arguments)


async def start_again(around: World) -> None:
    """Whatever does not run."""
    for name in around.crew.ended():
        await asyncio.to_thread(around.crew.processes[name].stop)
    await around.crew.start()


def _copy(directory: Path, to: Path) -> None:
    """With its owner: when we are root, the server is not."""
    subprocess.run(["cp", "-a", str(directory), str(to)], check=True)
