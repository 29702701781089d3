"""The whole engine on real servers, played by a producer and a consumer that know only the contract."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import ConsumerRecord

from cadence_contracts import outbound, read_record, write_record
from cadence_contracts.inbound import Inbound
from cadence_contracts.outbound import AnyOutbound, SendRequested
from cadence_engine.bus.topics import TIMESTAMP_TYPE, admin, create_topics
from cadence_engine.devstack.fleet import Consumer, EngineProcess, Fleet, Relay, Worker, command
from cadence_engine.devstack.servers import Servers
from cadence_engine.settings import Settings

ACME = "acme"
PHONE = "+5511999990000"
WITHIN = 40.0
WRITTEN = ("whatsapp.outbound", "cadence.events", "cadence.dead-letters")


@dataclass(frozen=True)
class Told:
    """One record that the engine published, and when the broker appended it."""

    event_id: str
    event: AnyOutbound
    at: datetime
    traceparent: str | None


@dataclass
class World:
    """Everything around the engine."""

    environment: Mapping[str, str]
    directory: Path
    producer: AIOKafkaProducer
    settings: Settings
    fleet: Fleet
    told: list[Told] = field(default_factory=list)
    dead: list[ConsumerRecord] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def prefix(self) -> str:
        return self.settings.topic_prefix

    async def apply(self, definition: str) -> None:
        """Publish a cadence for ACME, as a team does."""
        file = self.directory / f"{uuid.uuid4().hex}.yaml"
        file.write_text(definition)
        await self.run("apply", str(file), "--company", ACME)

    async def run(self, *arguments: str) -> str:
        """Run a command of the engine to its end."""
        return await asyncio.to_thread(command, self.environment, *arguments)

    async def publish(
        self, *events: Inbound, at: datetime | None = None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        """Put events on their topics and wait until the broker has them; `at` counts on a producer's clock alone."""
        for future in [await self._send(event, at, headers) for event in events]:
            await future

    async def producers_clock(self, topic: str) -> None:
        """Let the records of a topic carry the time of their producer instead of the broker's."""
        change = ConfigResource(ConfigResourceType.TOPIC, self.prefix + topic, {TIMESTAMP_TYPE: "CreateTime"})
        async with admin(self.settings) as client:
            await client.alter_configs([change])

    async def publish_raw(self, topic: str, value: bytes | None, **more: Any) -> None:
        """Put a record of any shape on a topic."""
        await self.producer.send_and_wait(self.prefix + topic, value, **more)

    async def until(self, met: Callable[[], bool], *, within: float = WITHIN) -> None:
        """Wait until what was published makes `met` true."""
        async with asyncio.timeout(within), self.changed:
            await self.changed.wait_for(met)

    def of(self, contact_id: str) -> list[Told]:
        """What was told about a contact, by the broker's time."""
        return sorted((told for told in self.told if told.event.contact_id == contact_id), key=lambda told: told.at)

    def kinds(self, contact_id: str) -> list[str]:
        """The types told about a contact, each topic's in order: sends apart from the rest."""
        return [told.event.event_type for told in self.of(contact_id) if not isinstance(told.event, SendRequested)]

    def sends(self, contact_id: str | None = None) -> list[SendRequested]:
        """The sends to a contact, or all."""
        sends = [told.event for told in self.told if isinstance(told.event, SendRequested)]
        return [send for send in sends if contact_id in (None, send.contact_id)]

    @property
    def lateness(self) -> timedelta:
        """The longest time from a due step to its send being appended by the broker."""
        return max(told.at - told.event.due_at for told in self.told if isinstance(told.event, SendRequested))

    def process(self, kind: type[EngineProcess]) -> EngineProcess:
        return next(process for process in self.fleet.processes if isinstance(process, kind))

    @property
    def consumer(self) -> EngineProcess:
        return self.process(Consumer)

    @property
    def worker(self) -> EngineProcess:
        return self.process(Worker)

    @property
    def relay(self) -> EngineProcess:
        return self.process(Relay)

    async def follow(self, consumer: AIOKafkaConsumer) -> None:
        async for record in consumer:
            async with self.changed:
                if record.topic.endswith("dead-letters"):
                    self.dead.append(record)
                else:
                    self.told.append(_told(record))
                self.changed.notify_all()

    async def _send(
        self, event: Inbound, at: datetime | None, headers: Sequence[tuple[str, bytes]]
    ) -> "asyncio.Future[Any]":
        record = write_record(event, id=uuid.uuid4().hex, source="/crm")._asdict()
        record["headers"] += headers
        record["topic"] = self.prefix + record["topic"]
        future: asyncio.Future[Any] = await self.producer.send(
            **record, timestamp_ms=None if at is None else int(at.timestamp() * 1000)
        )
        return future


def _told(record: ConsumerRecord) -> Told:
    envelope = read_record(record.value, record.headers)
    event = outbound.parse(envelope)
    assert event is not None, envelope.type
    assert record.key == event.contact_id.encode()
    traceparent = dict(record.headers).get("traceparent")
    at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    return Told(envelope.id, event, at, None if traceparent is None else traceparent.decode())


def twice(told: Iterable[Told]) -> list[str]:
    """Ids of events that were published more than once."""
    ids = [each.event_id for each in told]
    return [event_id for event_id in set(ids) if ids.count(event_id) > 1]


@pytest.fixture
def engine_environment() -> Mapping[str, str]:
    """More of the engine's environment, for a test module to override."""
    return {}


@pytest_asyncio.fixture
async def world(
    servers: Servers, database_url: str, topic_prefix: str, tmp_path: Path, engine_environment: Mapping[str, str]
) -> AsyncIterator[World]:
    """The engine, running and ready; `world.fleet` may be hurt."""
    environment = {
        **servers.addresses.as_environment(),
        "DATABASE_URL": database_url,
        "CADENCE_TOPIC_PREFIX": topic_prefix,
        "CADENCE_TRIGGER_TOPICS": "cart.abandoned",
        "CADENCE_SESSION_TIMEOUT": "2",
        **engine_environment,
    }
    bootstrap = servers.addresses.kafka_bootstrap_servers
    settings = Settings(
        DATABASE_URL=database_url,
        KAFKA_BOOTSTRAP_SERVERS=bootstrap,
        topic_prefix=topic_prefix,
        trigger_topics=("cart.abandoned",),
    )
    await create_topics(settings, partitions=2, replication=1)
    fleet = Fleet(tmp_path / "fleet", environment)
    reader = AIOKafkaConsumer(
        *(topic_prefix + topic for topic in WRITTEN),
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    )
    try:
        async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer, reader:
            world = World(environment, tmp_path, producer, settings, fleet)
            following = asyncio.create_task(world.follow(reader))
            await asyncio.to_thread(fleet.start)
            yield world
            following.cancel()
    finally:
        await asyncio.to_thread(fleet.stop)
