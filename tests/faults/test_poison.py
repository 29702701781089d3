"""One contact that cannot be handled, or a record that cannot be read, anywhere in a page: the others go on."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from cadence_engine.devstack.fleet import command
from tests.faults import road
from tests.faults.conftest import OpenWorld
from tests.faults.plan import cadence
from tests.faults.planted import Edit
from tests.faults.timeline import explain
from tests.faults.world import World

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

PHONE: Final = "+5511999990000"
CONTACTS: Final = [f"c{n}" for n in range(21)]
PLAN: Final = [cadence("acme", "hello", "contact.created", 0, 0.5)]
PLACES: Final = [
    pytest.param(0, id="first"),
    pytest.param(len(CONTACTS) // 2, id="middle"),
    pytest.param(len(CONTACTS) - 1, id="last"),
]
SEND: Final = "whatsapp.send.requested"
ATTEMPTS: Final = 5
"""In a row; the pause behind so many is at least eight times the first one's shortest."""


def in_the_handler(poisoned: str, ill: Path) -> Edit:
    """Its records cannot be applied for as long as the file is there."""
    there = "        contact = known[key]\n        if contact.forgets(at):\n"
    return Edit("handlers/contacts.py", there, _raising(poisoned, ill, "received.event.contact_id", 8) + there)


def in_the_decision(poisoned: str, ill: Path) -> Edit:
    """Its steps cannot be decided for as long as the file is there."""
    there = "    step = version.step_at(enrollment.step_index)\n    if step is None:\n"
    return Edit("domain/advance.py", there, _raising(poisoned, ill, "enrollment.contact_id", 4) + there)


def _raising(poisoned: str, ill: Path, contact: str, indent: int) -> str:
    line = f'if {contact} == "{poisoned}" and __import__("pathlib").Path("{ill}").exists():'
    return f'{" " * indent}{line}\n{" " * indent}    raise RuntimeError("planted")\n'


@pytest.fixture
def ill(tmp_path: Path) -> Path:
    """While it is there, the poison works."""
    file = tmp_path / "ill"
    file.touch()
    return file


@pytest.mark.parametrize("place", PLACES)
async def test_a_record_whose_handling_fails_holds_up_only_what_is_behind_it(
    open_world: OpenWorld, ill: Path, place: int
) -> None:
    poisoned = CONTACTS[place]
    async with open_world(edits=[in_the_handler(poisoned, ill)], cadences=PLAN) as around:
        others = [f"other-{n}" for n in range(20)]
        await publish_page(around, 0, CONTACTS)
        await publish_page(around, 1, others)
        await around.until(lambda: sent_to(around) >= {*CONTACTS[:place], *others}, within=60)
        await around.until(lambda: last_failures(around) >= ATTEMPTS, within=60)
        assert poisoned not in sent_to(around)
        failures = lines(around, "consumer-1", "page_failed")
        await asyncio.to_thread(ill.unlink)
        await keeps_every_promise(around)
        assert sent_to(around) == {*CONTACTS, *others}
        assert_ever_longer_pauses(failures)


@pytest.mark.parametrize("place", PLACES)
async def test_a_step_that_cannot_be_decided_is_parked_once_and_its_neighbours_run(
    open_world: OpenWorld, ill: Path, place: int
) -> None:
    poisoned = CONTACTS[place]
    async with open_world(edits=[in_the_decision(poisoned, ill)], cadences=PLAN) as around:
        await publish_page(around, 0, CONTACTS)
        await around.until(lambda: len(around.told("cadence.enrollment.completed")) == len(CONTACTS) - 1)
        parked = around.told("cadence.enrollment.parked")
        assert [each.data["contactId"] for each in parked] == [poisoned]
        assert parked[0].data["reason"] == "internal_error"
        assert len(lines(around, "worker-1", "step_failed")) == 1
        await asyncio.to_thread(ill.unlink)
        await asyncio.to_thread(
            command, around.environment, "unpark", "hello", "--company", "acme", "--actor", "faults"
        )
        await keeps_every_promise(around)
        assert sent_to(around) == set(CONTACTS)
        assert len(around.told("cadence.enrollment.parked")) == 1


@pytest.mark.parametrize("place", PLACES)
async def test_a_broken_record_is_told_once_and_its_neighbours_are_applied(open_world: OpenWorld, place: int) -> None:
    async with open_world(cadences=PLAN) as around:
        before, after = CONTACTS[:place], CONTACTS[place:]
        async with AIOKafkaProducer(bootstrap_servers=around.bootstrap_servers, linger_ms=50) as producer:
            writer = road.Writer(producer, around.prefix)
            await welcome(writer, 0, before)
            for value in (b"{", None, b'{"specversion": "1.0"}'):
                await producer.send(
                    f"{around.prefix}contact.created", value, key=b"broken", headers=road.HEADERS, partition=0
                )
            await welcome(writer, 0, after)
            await writer.flush()
        around.writer.acknowledged |= writer.acknowledged
        await keeps_every_promise(around)
        assert sent_to(around) == set(CONTACTS)
        told = await dead_letters(around, 3)
        assert sorted(told) == ["no_value", "not_cloudevent", "not_json"]


async def publish_page(around: World, partition: int, contacts: Sequence[str]) -> None:
    """All of them in one batch, so that they are read together."""
    async with AIOKafkaProducer(bootstrap_servers=around.bootstrap_servers, linger_ms=50) as producer:
        writer = road.Writer(producer, around.prefix)
        await welcome(writer, partition, contacts)
        await writer.flush()
    around.writer.acknowledged |= writer.acknowledged


async def welcome(writer: road.Writer, partition: int, contacts: Sequence[str]) -> None:
    for contact in contacts:
        who = {"companyId": "acme", "contactId": contact, "phone": PHONE}
        await writer.send("contact.created", f"{contact} is new", who, partition=partition)


async def dead_letters(around: World, count: int) -> list[str]:
    """The reasons of all there are, read until so many came and nothing more does."""
    topic = f"{around.prefix}cadence.dead-letters"
    found: list[str] = []
    async with AIOKafkaConsumer(bootstrap_servers=around.bootstrap_servers, isolation_level="read_committed") as reader:
        partitions = [TopicPartition(topic, number) for number in range(road.OTHERS["cadence.dead-letters"])]
        reader.assign(partitions)
        await reader.seek_to_beginning(*partitions)
        async with asyncio.timeout(20):
            while (pages := await reader.getmany(timeout_ms=500)) or len(found) < count:
                found += [dict(record.headers)["dlq-reason"].decode() for page in pages.values() for record in page]
    return found


def sent_to(around: World) -> set[str]:
    return {send.data["contactId"] for send in around.told(SEND)}


def lines(around: World, name: str, action: str) -> list[Mapping[str, Any]]:
    """What a process logged under that action."""
    found = [json.loads(line) for line in around.crew.processes[name].log.read_text().splitlines() if action in line]
    return [line for line in found if line["action"] == action]


def last_failures(around: World) -> int:
    """How often in a row a page has failed."""
    return max((line["failures"] for line in lines(around, "consumer-1", "page_failed")[-1:]), default=0)


def assert_ever_longer_pauses(failures: Sequence[Mapping[str, Any]]) -> None:
    for before, after in pairwise(failures):
        waited = datetime.fromisoformat(after["time"]) - datetime.fromisoformat(before["time"])
        assert waited.total_seconds() >= 0.9 * before["again_in"]
    assert failures[-1]["again_in"] > failures[0]["again_in"]


async def keeps_every_promise(around: World) -> None:
    """And no process has ended."""
    violations = await around.verdict(60)
    assert not violations, explain(await around.history(), violations)
    assert around.crew.ended() == []
