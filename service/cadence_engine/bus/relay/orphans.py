"""Records of ours that no marker has ended, although their transaction is over.

Kafka writes no marker where a partition has no leader at that moment: its coordinator takes the partition for deleted,
and calls the transaction complete (`TransactionMarkerChannelManager`, seen with 4.3.1 when a transaction timed out
while a killed broker came back). Readers of committed records then stand still in front of such records, and the next
commit of the same producer would show them, also where their transaction was aborted and they are published again.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import orjson
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from cadence_contracts import dead_letters, topics
from cadence_engine.bus.relay.errors import HistoryMismatch
from cadence_engine.bus.relay.publisher import Publisher
from cadence_engine.settings import Settings
from cadence_engine.storage import relay as storage
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.relay import LetterId

LOOKS: Final = 5
LOOK_EVERY: Final = 0.2
"""A marker that was just written shows a moment later, when it is replicated."""
READ_WITHIN: Final = 10.0

log = structlog.stdlib.get_logger("cadence_engine.relay")


@dataclass(frozen=True, slots=True)
class Orphans:
    """Where they are, and what they are: events of the log, and dead letters."""

    partitions: Sequence[TopicPartition]
    event_ids: Collection[UUID]
    letters: Collection[LetterId]


async def end_orphans(connection: Connection, publisher: Publisher, settings: Settings) -> None:
    """End what Kafka has left open: commit it where the mark says that it is published, else abort it.

    To be called when the mark is settled and nothing is under way. Raises HistoryMismatch where both kinds are found,
    KafkaError where they stay.
    """
    partitions = await publisher.partitions()
    orphans = await find(settings, partitions)
    if orphans is None:
        return
    unpublished = await storage.unpublished_among(connection, orphans.event_ids)
    unpublished += await storage.unpublished_letters_among(connection, orphans.letters)
    found = len(orphans.event_ids) + len(orphans.letters)
    where = [f"{each.topic}/{each.partition}" for each in orphans.partitions]
    log.warning("relay_orphans", partitions=where, records=found, unpublished=unpublished)
    if 0 < unpublished < found:
        raise HistoryMismatch(
            f"Kafka holds {found} records in {', '.join(where)} that no marker ended, and {unpublished} of them are "
            "not published by the mark: neither aborting nor committing them would be right"
        )
    await publisher.end_open(orphans.partitions, commit=not unpublished)
    if await find(settings, partitions):
        raise KafkaError(f"records in {', '.join(where)} are still open after a marker was asked for")


async def find(settings: Settings, partitions: Sequence[TopicPartition]) -> Orphans | None:
    """What lies behind the last stable offset although nothing is under way; None where that is nothing."""
    async with _consumer(settings, "read_committed") as committed, _consumer(settings, "read_uncommitted") as all_:
        for look in range(LOOKS):
            await asyncio.sleep(LOOK_EVERY if look else 0)
            stable = await committed.end_offsets(partitions)
            ends = await all_.end_offsets(partitions)
            open_ = {tp: stable[tp] for tp in partitions if stable[tp] < ends[tp]}
            if not open_:
                return None
        async with asyncio.timeout(READ_WITHIN):
            records = await _read(all_, open_, ends)
    dead = settings.topic(topics.DEAD_LETTERS)
    return Orphans(
        tuple(open_),
        {UUID(orjson.loads(record.value)["id"]) for record in records if record.topic != dead},
        {letter for record in records if record.topic == dead and (letter := _letter_id(record)).partition >= 0},
    )


def _consumer(settings: Settings, isolation_level: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers, isolation_level=isolation_level, enable_auto_commit=False
    )


async def _read(
    consumer: AIOKafkaConsumer, begins: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
) -> "list[ConsumerRecord[bytes, bytes]]":
    consumer.assign(list(begins))
    for tp, offset in begins.items():
        consumer.seek(tp, offset)
    records = []
    while any([await consumer.position(tp) < ends[tp] for tp in begins]):
        for page in (await consumer.getmany(timeout_ms=200)).values():
            records += page
    return records


def _letter_id(record: "ConsumerRecord[bytes, bytes]") -> LetterId:
    told = {name: value.decode() for name, value in record.headers if name in LETTER_HEADERS}
    topic, partition, offset = (told[name] for name in LETTER_HEADERS)
    return LetterId(topic, int(partition), int(offset))


LETTER_HEADERS: Final = (dead_letters.HEADER_TOPIC, dead_letters.HEADER_PARTITION, dead_letters.HEADER_OFFSET)
