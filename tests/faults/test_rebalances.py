"""Rebalances, slow pages and new partitions delay a consumer, and never stop one of its readers."""

import asyncio
import json
from collections.abc import Sequence
from typing import Final

import pytest
from aiokafka import AIOKafkaProducer

from tests.faults import road
from tests.faults.conftest import OpenWorld
from tests.faults.load import draw
from tests.faults.mischief import Fault, Injected, Mischief, Weights
from tests.faults.plan import CADENCES, cadence
from tests.faults.planted import Edit
from tests.faults.timeline import explain
from tests.faults.world import World

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

SEED: Final = 41
SECONDS: Final = 14.0
PHONE: Final = "+5511999990000"
TWENTY: Final = [f"c{n}" for n in range(20)]
SHORT_POLLS = (
    Edit("bus/consumer.py", "\nPOLL_MS: Final = 500", "\nPOLL_MS: Final = 2"),
    Edit("bus/consumer.py", "GATE_POLL_MS: Final = 100", "GATE_POLL_MS: Final = 2"),
)
"""So that a poll ends, more often than not, between a new assignment and the seek that it needs."""

JOINS_AND_LEAVES: Final[Weights] = {(Fault.KILL, "consumer"): 1.0, (Fault.TERMINATE, "consumer"): 1.0}
EVERY_SECONDS: Final = 0.5

SLOW_TOPICS: Final = ("purchase.completed", "message.received")
SLOW_PAGES: Final = 2
"""Of each of these topics, in each process, the first ones."""
SLOW_SECONDS: Final = 3.0
"""Longer than the session timeout of 2 s, and than PostgreSQL lets a transaction stand idle."""
IS_SLOW: Final = f"""
SLOWED = []


def is_slow(topic):
    slow = topic.endswith({SLOW_TOPICS}) and SLOWED.count(topic) < {SLOW_PAGES}
    SLOWED.extend([topic] if slow else [])
    return slow
"""
PAGES: Final = "    await progress.advance(unit.connection, page.spans)\n"
HEARTBEATS_GO_ON: Final = Edit(
    "handlers/page.py",
    PAGES,
    f"""    if page.received and is_slow(page.spans[0].topic):
        for _ in range(30):
            await asyncio.sleep({SLOW_SECONDS} / 30)
            await unit.connection.execute("SELECT")
{PAGES}""",
)
HEARTBEATS_STOP: Final = Edit(
    "bus/consumer.py",
    "        try:\n            async with self._pool.acquire() as connection:\n                now",
    f"""        try:
            if poll.records and is_slow(poll.topic):
                time.sleep({SLOW_SECONDS})
            async with self._pool.acquire() as connection:\n                now""",
)
HEARTBEATS_STOP_INSIDE: Final = Edit(
    "handlers/page.py",
    PAGES,
    f"""{PAGES}    if page.received and is_slow(page.spans[0].topic):
        time.sleep({SLOW_SECONDS})
""",
)
HAVE_SLOW = {
    file: Edit(file, before, f"import asyncio\nimport time\n{before}{IS_SLOW}")
    for file, before in (
        ("handlers/page.py", 'M = TypeVar("M", bound=Inbound)\n'),
        ("bus/consumer.py", "\nPOLL_MS: Final = 500\n"),
    )
}
THANKS: Final = cadence("acme", "thanks", "purchase.completed", 0)
"""Over so soon that a purchase which is applied once more would start it once more."""

LATE_DISCOVERY: Final = Edit(
    "bus/consumer.py", "METADATA_MAX_AGE_MS: Final = 3_000", "METADATA_MAX_AGE_MS: Final = 10_000"
)
"""So that replies stand in a new partition for long before anybody reads them."""
EARLY: Final = [f"early-{n}" for n in range(20)]
LATER: Final = [f"later-{n}" for n in range(20)]


async def test_a_rebalance_in_the_midst_of_a_poll_stops_no_reader(open_world: OpenWorld) -> None:
    plan = [cadence("acme", "hello", "contact.created", 0, 0.5)]
    size = {"consumer": 2, "worker": 1, "relay": 1}
    async with open_world(edits=SHORT_POLLS, cadences=plan, size=size) as around:
        for _ in range(3):
            await around.crew.kill("consumer-2")
            await around.crew.revive("consumer-2")
        await around.publish("contact.created", "acme", TWENTY, phone=PHONE)
        assert await around.verdict(12) == []


async def test_consumers_that_join_and_leave_all_the_time(open_world: OpenWorld) -> None:
    injected: list[Injected] = []
    async with open_world(size={"consumer": 3, "worker": 1, "relay": 1}) as around:
        mischief = Mischief(around, SEED, JOINS_AND_LEAVES, injected.append)
        await asyncio.gather(
            around.play(draw(SEED, contacts=40, seconds=SECONDS)),
            mischief.run(int(SECONDS / EVERY_SECONDS), SECONDS),
        )
        assert {each.what for each in injected} == {Fault.KILL, Fault.TERMINATE}
        assert mischief.found_ended == []
        await keeps_every_promise(around)


async def test_the_gate_waits_for_a_slow_page(open_world: OpenWorld) -> None:
    plan = [cadence("acme", "welcome", "contact.created", 1, *[0.5] * 8)]
    edits = [HAVE_SLOW[HEARTBEATS_GO_ON.file], HEARTBEATS_GO_ON]
    async with open_world(edits=edits, cadences=plan, size={"consumer": 2, "worker": 1, "relay": 1}) as around:
        await around.publish("contact.created", "acme", EARLY, phone=PHONE)
        await around.until(lambda: sent_to(around) == set(EARLY))
        await around.publish("message.received", "acme", EARLY)  # their next steps are due long before it is applied
        await keeps_every_promise(around)
        assert len(around.told("cadence.enrollment.cancelled")) == len(EARLY)


@pytest.mark.parametrize(
    "slow", [pytest.param(HEARTBEATS_STOP, id="before"), pytest.param(HEARTBEATS_STOP_INSIDE, id="inside")]
)
async def test_pages_that_take_longer_than_the_session(open_world: OpenWorld, slow: Edit) -> None:
    """Nothing of the process runs meanwhile: it loses its partitions, and inside its transaction too."""
    size = {"consumer": 2, "worker": 1, "relay": 1}
    async with open_world(edits=[HAVE_SLOW[slow.file], slow], cadences=[*CADENCES, THANKS], size=size) as around:
        before = seeks(around)
        await around.play(draw(SEED, contacts=40, seconds=SECONDS))
        await keeps_every_promise(around)
        assert seeks(around) > before, "they were to lose their partitions meanwhile"


async def test_new_partitions_are_read_from_their_first_record_and_the_gate_waits_for_them(
    open_world: OpenWorld,
) -> None:
    plan = [cadence("acme", "welcome", "contact.created", 1, *[0.5] * 8)]
    size = {"consumer": 2, "worker": 1, "relay": 1}
    async with open_world(edits=[LATE_DISCOVERY], cadences=plan, size=size) as around:
        playing = asyncio.create_task(
            around.play([e for e in draw(SEED, contacts=40, seconds=8) if "lead" not in e.type])
        )
        await around.publish("contact.created", "acme", EARLY, phone=PHONE)
        await around.until(lambda: len(sent_to(around) & set(EARLY)) == len(EARLY))
        await road.add_partition(around.bootstrap_servers, f"{around.prefix}message.received", 3)
        await publish_to(around, 2, "message.received", EARLY)  # their next step is due within half a second
        await road.add_partition(around.bootstrap_servers, f"{around.prefix}contact.created", 3)
        await publish_to(around, 2, "contact.created", LATER, phone=PHONE)
        await playing
        await keeps_every_promise(around)
        ended = {each.data["contactId"] for each in around.told("cadence.enrollment.cancelled")}
        assert ended >= set(EARLY)
        assert {each.data["contactId"] for each in around.told("cadence.enrollment.completed")} >= set(LATER)


def sent_to(around: World) -> set[str]:
    return {send.data["contactId"] for send in around.told("whatsapp.send.requested")}


async def publish_to(around: World, partition: int, type_: str, contacts: Sequence[str], **data: object) -> None:
    """As one does who has just learnt of a new partition."""
    async with AIOKafkaProducer(bootstrap_servers=around.bootstrap_servers) as producer:
        writer = road.Writer(producer, around.prefix)
        for contact in contacts:
            who = {"companyId": "acme", "contactId": contact}
            await writer.send(type_, f"{type_} of {contact}", {**who, **data}, partition=partition)
        await writer.flush()
    around.writer.acknowledged |= writer.acknowledged


async def keeps_every_promise(around: World) -> None:
    """And no process has ended."""
    violations = await around.verdict(60)
    assert not violations, explain(await around.history(), violations)
    assert around.crew.ended() == []


def seeks(around: World) -> int:
    """How often readers sought anew: each time they got partitions, or a page had failed."""
    logs = [process.log for name, process in around.crew.processes.items() if name.startswith("consumer")]
    return sum(
        json.loads(line)["action"] == "seeked"
        for log in logs
        for line in log.read_text().splitlines()
        if '"seeked"' in line
    )
