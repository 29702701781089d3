"""A mark that Kafka dropped although it committed the records: what readers see tells, nothing comes out twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from aiokafka.structs import OffsetAndMetadata

from cadence_engine.bus.relay import kafka, names
from cadence_engine.bus.relay.mark import Mark
from cadence_engine.bus.relay.resolve import resolve
from cadence_engine.bus.topics import admin
from cadence_engine.settings import Settings
from tests.bus.relay.conftest import Log, Road, a_send, publish_all


async def test_what_the_database_knows_to_be_published_is_gone_on_from(log: Log, road: Road) -> None:
    await publish(log, batches=2)
    async with mark_dropped(log.settings):
        await publish(log, batches=2)

    assert (await resolve(log.settings)).mismatch is None, "nothing for an operator to decide"
    await publish(log, batches=2)
    await publish(log, batches=2)

    await road.holds_once_and_in_order(log.written)


async def test_what_readers_see_is_published_though_nobody_knows(log: Log, road: Road) -> None:
    await publish(log, batches=2)
    async with mark_dropped(log.settings), database_not_told(log):
        await publish(log, batches=2)

    await log.write(a_send("of a transaction that was never begun"))
    await publish(log, batches=2)

    await road.holds_once_and_in_order(log.written)


async def test_also_of_the_first_transaction_ever(log: Log, road: Road) -> None:
    async with database_not_told(log):
        await publish(log, batches=1)
    await commit_mark(log.settings, None)

    await publish(log, batches=1)

    await road.holds_once_and_in_order(log.written)


async def publish(log: Log, *, batches: int) -> None:
    """Batches of one transaction, logged at times that differ."""
    for _ in range(batches):
        await log.write_sends(batches=1)
        await asyncio.sleep(0.01)
    await publish_all(log)


@asynccontextmanager
async def mark_dropped(settings: Settings) -> AsyncIterator[None]:
    """Kafka answers the mark from before."""
    async with admin(settings) as client:
        before = await kafka.read_mark(client, settings)
    yield
    await commit_mark(settings, before)


async def commit_mark(settings: Settings, mark: Mark | None) -> None:
    """None: as if there never was one."""
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers, transactional_id=names.transactional_id(settings)
    )
    offset = OffsetAndMetadata(-1, "") if mark is None else OffsetAndMetadata(mark.number, mark.metadata)
    async with producer, producer.transaction():
        await producer.send_offsets_to_transaction({names.mark_partition(settings): offset}, names.group(settings))


@asynccontextmanager
async def database_not_told(log: Log) -> AsyncIterator[None]:
    """The relay dies before it can write down what Kafka has committed."""
    before = await log.connection.fetchrow("SELECT last_mark, last_digest, last_batches FROM relay_state")
    known = await log.connection.fetchval("SELECT coalesce(max(batch_id), 0) FROM event_batches")
    assert before is not None
    yield
    await log.connection.execute("UPDATE relay_state SET last_mark = $1, last_digest = $2, last_batches = $3", *before)
    await log.connection.execute("UPDATE event_batches SET published_at = NULL WHERE batch_id > $1", known)
