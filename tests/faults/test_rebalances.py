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
from tests.faults.plan import cadence
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

SLOW_PAGES: Final = 4
SLOW_SECONDS: Final = 3.0
"""Longer than the session timeout of 2 s, and than PostgreSQL lets a transaction stand idle."""
PAGES: Final = "    await progress.advance(unit.connection, page.spans)\n"
HEARTBEATS_GO_ON: Final = Edit(
    "handlers/page.py",
    PAGES,
    f"""    if page.received and len(SLOW) < {SLOW_PAGES} and not SLOW.append(page):
        for _ in range(30):
            await asyncio.sleep({SLOW_SECONDS} / 30)
            await unit.connection.execute("SELECT")
{PAGES}""",
)
HEARTBEATS_STOP: Final = Edit(
    "bus/consumer.py",
    "        try:\n            async with self._pool.acquire() as connection:\n                now",
    f"""        try:
            if poll.records and len(SLOW) < {SLOW_PAGES} and not SLOW.append(poll):
                time.sleep({SLOW_SECONDS})
            async with self._pool.acquire() as connection:\n                now""",
)
HEARTBEATS_STOP_INSIDE: Final = Edit(
    "handlers/page.py",
    PAGES,
    f"""{PAGES}    if page.received and len(SLOW) < {SLOW_PAGES} and not SLOW.append(page):
        time.sleep({SLOW_SECONDS})
""",
)
HAVE_SLOW = {
    file: Edit(file, before, f"import asyncio\nimport time\n{before}\nSLOW = []\n")
    for file, before in (
        ("handlers/page.py", 'M = TypeVar("M", bound=Inbound)\n'),
        ("bus/consumer.py", "\nPOLL_MS: Final = 500\n"),
    )
}


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


@pytest.mark.parametrize(
    ("slow", "rebalances"),
    [
        pytest.param(HEARTBEATS_GO_ON, False, id="heartbeats go on"),
        pytest.param(HEARTBEATS_STOP, True, id="heartbeats stop"),
        pytest.param(HEARTBEATS_STOP_INSIDE, True, id="heartbeats stop inside the transaction"),
    ],
)
async def test_pages_that_take_longer_than_the_session(open_world: OpenWorld, slow: Edit, rebalances: bool) -> None:
    size = {"consumer": 2, "worker": 1, "relay": 1}
    async with open_world(edits=[HAVE_SLOW[slow.file], slow], size=size) as around:
        before = seeks(around)
        await around.play(draw(SEED, contacts=40, seconds=SECONDS))
        await keeps_every_promise(around)
        assert not rebalances or seeks(around) > before, "they were to lose their partitions meanwhile"


async def test_new_partitions_are_read_from_their_first_record_and_the_gate_waits_for_them(
    open_world: OpenWorld,
) -> None:
    plan = [cadence("acme", "welcome", "contact.created", 1, 1, 2)]
    async with open_world(cadences=plan, size={"consumer": 2, "worker": 1, "relay": 1}) as around:
        playing = asyncio.create_task(
            around.play([e for e in draw(SEED, contacts=40, seconds=8) if "lead" not in e.type])
        )
        await around.publish("contact.created", "acme", TWENTY, phone=PHONE)
        await around.until(lambda: len(around.told("whatsapp.send.requested")) >= len(TWENTY))
        for topic in ("message.received", "contact.created"):
            await road.add_partition(around.bootstrap_servers, around.prefix + topic, 3)
        await publish_to(around, 2, "message.received", TWENTY)  # their next step is due within a second
        later = [f"later-{n}" for n in range(20)]
        await publish_to(around, 2, "contact.created", later, phone=PHONE)
        await playing
        await keeps_every_promise(around)
        ended = {each.data["contactId"] for each in around.told("cadence.enrollment.cancelled")}
        assert ended >= set(TWENTY)
        assert {each.data["contactId"] for each in around.told("cadence.enrollment.completed")} >= set(later)


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
