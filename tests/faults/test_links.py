"""The links to PostgreSQL and Kafka are cut, slow and silent, and the broker dies in the midst of a transaction."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import pytest

from cadence_engine.devstack.kafka import Kafka
from cadence_engine.devstack.ports import HOST, free_port
from cadence_engine.devstack.servers import Servers
from tests.faults.conftest import OpenWorld
from tests.faults.crew import KINDS
from tests.faults.links.ambush import Ambush, Moment
from tests.faults.links.kafka import Api, KafkaWatch, Request
from tests.faults.links.link import Link
from tests.faults.links.postgres import PostgresWatch, Statement, port_of, through
from tests.faults.load import draw
from tests.faults.mischief import Fault, Mischief
from tests.faults.timeline import explain
from tests.faults.world import SEVERAL, World

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

SEED: Final = 23
SEND: Final = "whatsapp.send.requested"
SECONDS: Final = 12.0
LOGGED: Final = "INSERT INTO event_batches", "UPDATE event_batches SET published_at"
"""A transaction with one of these would be missed: effects of consumer or worker, the relay's mark."""
AWAY_SECONDS: Final = 0.5
TERMINATIONS: Final = 12
LATENCY: Final = 0.1
BYTES_PER_SECOND: Final = 200_000.0
SILENT_SECONDS: Final = 8.0
"""Longer than the session timeout and the relay's lease of the run, and than the relay waits for Kafka."""
SILENCES: Final = 2
BROKER_DEATHS: Final = 3
READER_STALL: Final = timedelta(seconds=15)


class Outage(NamedTuple):
    """From the broker's death until a successor has acknowledged a record."""

    died_at: datetime
    back_at: datetime

    def within(self, begin: datetime, end: datetime) -> timedelta:
        """How much of it lies between these."""
        return max(timedelta(), min(self.back_at, end) - max(self.died_at, begin))


async def test_cut_off_during_commit_it_keeps_every_promise(open_world: OpenWorld, database_url: str) -> None:
    ambush = Ambush[Statement]()
    async with (
        Link(port_of(database_url), watch=lambda: PostgresWatch(ambush)) as link,
        open_world(DATABASE_URL=through(link.port, database_url)) as around,
        playing(around),
    ):
        for number, (moment, kind) in enumerate([(moment, kind) for moment in (*Moment, *Moment) for kind in KINDS]):
            ambush.lay(moment, commits_of(kind), link.cut)
            await publish_some(around, number)
            await ambush.struck()
            await asyncio.sleep(AWAY_SECONDS)
            link.heal()


async def test_all_its_sessions_ended_again_and_again_it_keeps_every_promise(open_world: OpenWorld) -> None:
    async with open_world(size=SEVERAL) as around, playing(around):
        mischief = Mischief(around, SEED, {(Fault.CUT_OFF, kind): 1.0 for kind in KINDS}, lambda _: None)
        await mischief.run(TERMINATIONS, SECONDS)
        assert mischief.found_ended == []


@dataclass(frozen=True, slots=True)
class LinkedKafka:
    """The module's own Kafka, and where its link has to be."""

    server: Kafka
    port: int
    target_port: int


@pytest.fixture(scope="module")
def linked(own_servers: Servers) -> LinkedKafka:
    kafka = own_servers.kafka
    assert kafka is not None
    port = free_port()
    target_port = kafka.listen_behind(port)
    kafka.restart()
    return LinkedKafka(kafka, port, target_port)


async def test_over_a_slow_link_it_goes_on(open_own_world: OpenWorld, linked: LinkedKafka) -> None:
    async with over_kafka_link(open_own_world, linked) as (around, link, _):
        link.slow(latency=LATENCY, bytes_per_second=BYTES_PER_SECOND)
        async with playing(around):
            await publish_some(around, 0)
            await around.until(lambda: {"at-fault-0-0"} <= {send.data["contactId"] for send in around.told(SEND)}, 30)


async def test_after_silence_it_keeps_every_promise(open_own_world: OpenWorld, linked: LinkedKafka) -> None:
    """Silent from when the relay asks to commit: Kafka hears of that when the relay has long given up."""
    async with over_kafka_link(open_own_world, linked) as (around, link, ambush), playing(around):
        for number in range(SILENCES):
            ambush.lay(Moment.BEFORE, ends_transaction, link.silence, goes_on=True)
            await publish_some(around, number)
            await ambush.struck()
            await asyncio.sleep(SILENT_SECONDS)
            link.heal()


@pytest.mark.parametrize("moment", Moment)
async def test_a_broker_that_dies_around_a_commit_stalls_no_reader(
    open_own_world: OpenWorld, linked: LinkedKafka, moment: Moment
) -> None:
    """Before it heard of the commit, in the midst of the transaction; and after it promised it, markers unwritten."""
    outages: list[Outage] = []
    async with over_kafka_link(open_own_world, linked) as (around, _, ambush), playing(around):
        for number in range(BROKER_DEATHS):
            ambush.lay(moment, ends_transaction, lambda: asyncio.to_thread(linked.server.kill))
            async with asyncio.TaskGroup() as group:
                group.create_task(publish_some(around, number))  # perhaps it is the next broker that acknowledges them
                await ambush.struck()
                died_at = datetime.now(UTC)
                await asyncio.to_thread(linked.server.start)
            outages.append(Outage(died_at, datetime.now(UTC)))
    assert max(waits_of_reader(around, outages)) < READER_STALL


@asynccontextmanager
async def over_kafka_link(
    open_own_world: OpenWorld, linked: LinkedKafka
) -> AsyncIterator[tuple[World, Link, Ambush[Request]]]:
    """A world whose engine has its Kafka behind the link; writer and reader have not."""
    ambush = Ambush[Request]()
    async with (
        Link(linked.target_port, port=linked.port, watch=lambda: KafkaWatch(ambush)) as link,
        open_own_world(KAFKA_BOOTSTRAP_SERVERS=f"{HOST}:{linked.port}") as around,
    ):
        yield around, link, ambush


@asynccontextmanager
async def playing(around: World) -> AsyncIterator[None]:
    """A random load meanwhile; at the end, the verdict."""
    load = asyncio.create_task(around.play(draw(SEED, contacts=50, seconds=SECONDS)))
    try:
        yield
        await load
    finally:
        load.cancel()
    violations = await around.verdict(60)
    assert not violations, explain(await around.history(), violations)
    assert around.crew.ended() == []


async def publish_some(around: World, fault: int) -> None:
    """So that there is a transaction to hurt, however long the load has ended."""
    contacts = [f"at-fault-{fault}-{number}" for number in range(5)]
    await around.publish("contact.created", "acme", contacts, phone="+5511999990000")


def commits_of(kind: str) -> Callable[[Statement], bool]:
    """The COMMIT of a process of this kind, of what somebody would miss."""
    return lambda statement: (
        statement.application == f"cadence-engine {kind}"
        and statement.is_commit
        and any(statement.follows(each) for each in LOGGED)
    )


def ends_transaction(request: Request) -> bool:
    return request.api == Api.END_TXN


def waits_of_reader(around: World, outages: Sequence[Outage]) -> Iterator[timedelta]:
    """From each output's append to its arrival at the reader, without the outages in between."""
    for record in around.reader.outputs():
        received_at = around.reader.received[record.where]
        away = (outage.within(record.appended_at, received_at) for outage in outages)
        yield received_at - record.appended_at - sum(away, timedelta())
