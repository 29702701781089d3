"""A log to write to, the relay's topics on the real Kafka, and relays in this process and in processes of their own."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import NewTopic
from pydantic import SecretStr

from cadence_contracts import topics
from cadence_engine.bus.relay.names import PUBLISHED_TO
from cadence_engine.bus.relay.points import OnPoint, Point, pass_by
from cadence_engine.bus.relay.process import run
from cadence_engine.bus.topics import RELAY, admin
from cadence_engine.devstack.servers import Servers
from cadence_engine.domain.events import SEND_REQUESTED, Event
from cadence_engine.settings import Settings
from cadence_engine.storage import database, events
from cadence_engine.storage.connection import Connection

PARTITIONS = 3
BREAKABLE_RELAY = Path(__file__).parent / "breakable_relay.py"

Record: TypeAlias = ConsumerRecord[bytes | None, bytes | None]


def a_send(contact: str, number: int = 0, **data: Any) -> Event:
    return Event(
        type=SEND_REQUESTED,
        event_id=uuid4(),
        company_id="acme",
        contact_id=contact,
        enrollment_id=uuid4(),
        revision=1,
        data={"contactId": contact, "number": number, **data},
    )


async def until(holds: Callable[[], Awaitable[object]], seconds: float = 30) -> None:
    """Return as soon as it holds; fail when it never does."""
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110  # what we wait for is told by no event of this process
            await asyncio.sleep(0.02)


@dataclass
class Log:
    """The log of one database."""

    settings: Settings
    connection: Connection
    written: list[Event] = field(default_factory=list)

    async def write(self, *batch: Event) -> None:
        """One batch, in a transaction of its own."""
        async with self.connection.transaction():
            await events.append(self.connection, batch)
        self.written += batch

    async def write_sends(self, *, batches: int, contacts: int = 5) -> None:
        """As many batches, each with the next send of every contact."""
        for number in range(batches):
            await self.write(*(a_send(f"contact-{contact}", number) for contact in range(contacts)))

    async def is_published(self) -> bool:
        return not await self.connection.fetchval("SELECT count(*) FROM event_batches WHERE published_at IS NULL")

    async def last_mark(self) -> int:
        mark: int = await self.connection.fetchval("SELECT last_mark FROM relay_state")
        return mark


@dataclass
class Road:
    """What a consumer of the relay's topics sees."""

    settings: Settings

    async def records(self, topic: str = topics.OUTBOUND) -> list[Record]:
        """All committed records, each partition's in order."""
        consumer: AIOKafkaConsumer[bytes | None, bytes | None] = AIOKafkaConsumer(
            bootstrap_servers=self.settings.kafka_bootstrap_servers, isolation_level="read_committed"
        )
        async with consumer:
            partitions = [TopicPartition(self.settings.topic(topic), number) for number in range(PARTITIONS)]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            ends = await consumer.end_offsets(partitions)
            found: list[Record] = []
            while not all([await consumer.position(each) >= ends[each] for each in partitions]):
                for page in (await consumer.getmany(timeout_ms=200)).values():
                    found += page
            return found

    async def event_ids(self, topic: str = topics.OUTBOUND) -> list[UUID]:
        return [UUID(orjson.loads(record.value or b"")["id"]) for record in await self.records(topic)]

    async def holds_once_and_in_order(self, written: Sequence[Event]) -> None:
        """Each of these sends is there once, and each contact's in the order of the log."""
        found = await self.event_ids()
        assert len(found) == len(set(found)), "some sends are there twice"
        place = {event_id: index for index, event_id in enumerate(found)}
        assert place.keys() == {event.event_id for event in written}
        for contact in {event.contact_id for event in written}:
            places = [place[event.event_id] for event in written if event.contact_id == contact]
            assert places == sorted(places)


@dataclass
class RelayProcess:
    """A relay in a process of its own, which tells on stdout what it does."""

    process: asyncio.subprocess.Process

    async def ended(self) -> int:
        return await asyncio.wait_for(self.process.wait(), 30)

    async def frozen(self) -> None:
        await asyncio.wait_for(asyncio.to_thread(os.waitid, os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT), 30)

    def resume(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    async def says(self, action: str) -> None:
        """Return when it has logged this action."""
        assert self.process.stdout is not None
        async with asyncio.timeout(30):
            while line := await self.process.stdout.readline():
                if f'"action":"{action}"'.encode() in line:
                    return
        raise AssertionError(f"the relay ended without {action}")


@pytest.fixture
def settings(servers: Servers, database_url: str, topic_prefix: str) -> Settings:
    """A short lease, and few batches at a time, so that a short log makes many transactions."""
    return Settings(
        DATABASE_URL=database_url,
        KAFKA_BOOTSTRAP_SERVERS=servers.addresses.kafka_bootstrap_servers,
        topic_prefix=topic_prefix,
        relay_lease=1.0,
        relay_batches=2,
    )


TopicConfigs = dict[str, dict[str, str]]


@pytest.fixture
def topic_configs() -> TopicConfigs:
    """Configuration by topic, for a test module to override."""
    return {}


@pytest_asyncio.fixture
async def road(settings: Settings, topic_configs: TopicConfigs) -> Road:
    await make_topics(settings, topic_configs)
    return Road(settings)


async def make_topics(settings: Settings, configs: TopicConfigs) -> None:
    async with admin(settings) as client:
        await client.create_topics(
            [
                NewTopic(settings.topic(name), PARTITIONS, 1, topic_configs=configs.get(name, {}))
                for name in (*PUBLISHED_TO, RELAY)
            ]
        )


@asynccontextmanager
async def log_of(settings: Settings) -> AsyncIterator[Log]:
    pool = await database.connect(settings.database_url.get_secret_value(), process="test", size=1)
    async with pool, pool.acquire() as connection:
        # A test may hold a transaction open for as long as the other side takes.
        await connection.execute("SET idle_in_transaction_session_timeout = 0; SET lock_timeout = 0")
        yield Log(settings, connection)


@pytest_asyncio.fixture
async def log(settings: Settings) -> AsyncIterator[Log]:
    async with log_of(settings) as log:
        yield log


@asynccontextmanager
async def relay(settings: Settings, on_point: OnPoint = pass_by, **more: Any) -> AsyncIterator[asyncio.Event]:
    """A relay in this process, stopped at the end; yields its `stop`. What it raises is raised here."""
    stop = asyncio.Event()
    running = asyncio.create_task(run(settings, stop, on_point=on_point, **more))
    try:
        yield stop
    finally:
        stop.set()
        await running


async def publish_all(log: Log, settings: Settings | None = None) -> None:
    """Run a relay until everything is published."""
    async with relay(settings or log.settings):
        await until(log.is_published)


async def run_until_it_ends(settings: Settings) -> None:
    """Run a relay that ends by itself, and raise what it raises."""
    await asyncio.wait_for(run(settings, asyncio.Event()), 30)


StartRelay = Callable[..., Awaitable[RelayProcess]]


@pytest_asyncio.fixture
async def start_relay(settings: Settings) -> AsyncIterator[StartRelay]:
    """Start a relay as a process of its own; it sends itself `signalled` when it passes `point` for the nth time."""
    async with AsyncExitStack() as ending:

        async def start(
            point: Point | None = None,
            signalled: signal.Signals = signal.SIGKILL,
            nth: int = 1,
            lease: float = settings.relay_lease,
        ) -> Any:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                BREAKABLE_RELAY,
                *([point, signalled.name, str(nth)] if point else []),
                env=os.environ
                | {
                    "DATABASE_URL": settings.database_url.get_secret_value(),
                    "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
                    "CADENCE_TOPIC_PREFIX": settings.topic_prefix,
                    "CADENCE_RELAY_LEASE": str(lease),
                    "CADENCE_RELAY_BATCHES": str(settings.relay_batches),
                },
                stdout=asyncio.subprocess.PIPE,
            )
            ending.push_async_callback(_end, process)
            return RelayProcess(process)

        yield start


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()


BackUp = Callable[[Settings], Awaitable[Settings]]


@pytest_asyncio.fixture
async def back_up(servers: Servers) -> AsyncIterator[BackUp]:
    """Copy a database that nobody is connected to; the settings with which the copy is used as if it were restored."""
    copies: list[str] = []
    connection = await asyncpg.connect(servers.addresses.database_url)

    async def copy(settings: Settings) -> Settings:
        url = settings.database_url.get_secret_value()
        original, name = url.rsplit("/", 1)[1], f"cadence_copy_{uuid4().hex[:12]}"
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{original}"')
        copies.append(name)
        return settings.model_copy(update={"database_url": SecretStr(url.replace(original, name))})

    yield copy
    for name in copies:
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await connection.close()
