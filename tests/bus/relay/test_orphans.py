"""Records that Kafka left without a marker: they neither stall readers nor come out beside their repetition."""

from collections.abc import AsyncIterator, Sequence

import pytest_asyncio
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from cadence_contracts import structured_value, topics
from cadence_contracts.records import STRUCTURED_HEADERS
from cadence_engine.bus.relay import names
from cadence_engine.bus.topics import admin
from cadence_engine.domain.events import Event
from cadence_engine.settings import Settings
from tests.bus.relay.conftest import Log, Road, a_send, publish_all

VERIFICATION = "transaction.partition.verification.enable"
ONE = 0
"""The partition in which they are left."""


@pytest_asyncio.fixture
async def unverified(settings: Settings) -> AsyncIterator[None]:
    """Let the broker take transactional records of which its coordinator knows nothing: none will get a marker."""
    await verify(settings, "false")
    yield
    await verify(settings, "true")


async def verify(settings: Settings, value: str) -> None:
    async with admin(settings) as client:
        await client.alter_configs([ConfigResource(ConfigResourceType.BROKER, "1", {VERIFICATION: value})])


async def leave_open(settings: Settings, events: Sequence[Event]) -> None:
    """As the relay, write sends in a transaction whose end reaches this partition never."""
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers, transactional_id=names.transactional_id(settings)
    )
    await producer.start()
    partition = TopicPartition(settings.topic(topics.OUTBOUND), ONE)
    await producer.begin_transaction()
    producer._txn_manager._txn_partitions.add(partition)  # so that the coordinator is not told
    for event in events:
        value = structured_value(id=str(event.event_id), type=event.type, time="2026-01-01T00:00:00Z", data_json="{}")
        await producer.send_and_wait(partition.topic, value, partition=ONE, headers=list(STRUCTURED_HEADERS))
    producer._txn_manager._txn_partitions.clear()
    await producer.abort_transaction()
    await producer.stop()


async def test_what_was_aborted_is_published_once(log: Log, road: Road, unverified: None) -> None:
    await log.write_sends(batches=2)
    await publish_all(log)
    await log.write_sends(batches=2)
    await leave_open(log.settings, log.written[-3:])

    await publish_all(log)

    await road.holds_once_and_in_order(log.written)


async def test_what_is_published_by_the_mark_becomes_visible(log: Log, road: Road, unverified: None) -> None:
    await log.write_sends(batches=2)
    await publish_all(log)
    before = sorted(await road.event_ids())
    await leave_open(log.settings, log.written[:3])
    assert sorted(await road.event_ids()) == before, "readers wait in front of what is open"

    await log.write(a_send("somebody-else"))
    await publish_all(log)

    assert [id_ for id_ in await road.event_ids() if id_ == log.written[0].event_id] == [log.written[0].event_id] * 2
