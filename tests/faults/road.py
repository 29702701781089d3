"""Kafka as everybody around the engine sees it: topics that the broker dates, a writer, and readers."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import KafkaError, KafkaTimeoutError, UnknownTopicOrPartitionError

from tests.faults.oracle.history import EVENTS, OUTBOUND, Record, read

INPUTS: Final = (
    "contact.created",
    "contact.updated",
    "contact.deleted",
    "contact.preferences.changed",
    "message.received",
    "lead.created",
    "purchase.completed",
    "company.updated",
    "company.deleted",
    "enrollment.requested",
    "enrollment.cancel.requested",
)
OUTPUTS: Final = (OUTBOUND, EVENTS)
OTHERS: Final = {"cadence.dead-letters": 2, "cadence.relay": 1}
SOURCE: Final = "/faults"
HEADERS: Final = [("content-type", b"application/cloudevents+json; charset=utf-8")]
READ_WITHIN: Final = 60.0
RETRY_SECONDS: Final = 0.5

Acknowledged = Mapping[str, datetime]
"""By event id, when the writer first knew that Kafka has it."""


async def make_topics(bootstrap_servers: str, prefix: str, *, partitions: int = 2) -> None:
    """All topics, every record with the broker's append time."""
    counts = dict.fromkeys((*INPUTS, *OUTPUTS), partitions) | OTHERS
    append_time = {"message.timestamp.type": "LogAppendTime"}
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics(
            [NewTopic(prefix + name, count, 1, topic_configs=append_time) for name, count in counts.items()]
        )
        names = [prefix + name for name in counts]
        # Nobody tells us when every broker knows them.
        while any(each["error_code"] or not each["partitions"] for each in await admin.describe_topics(names)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    finally:
        await admin.close()


async def add_partition(bootstrap_servers: str, topic: str, total: int) -> None:
    """Let a topic have `total` partitions."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.create_partitions({topic: NewPartitions(total)})
    finally:
        await admin.close()


class Writer:
    """Publishes events as other services do, and remembers when each was acknowledged."""

    def __init__(self, producer: AIOKafkaProducer, prefix: str) -> None:
        self._producer = producer
        self._prefix = prefix
        self._under_way: set[asyncio.Future[Any]] = set()
        self.acknowledged: dict[str, datetime] = {}

    async def send(self, type_: str, event_id: str, data: Mapping[str, Any], partition: int | None = None) -> None:
        """Hand one event over; `flush` waits for Kafka."""
        value = {"specversion": "1.0", "id": event_id, "source": SOURCE, "type": type_, "data": data}
        topic, body, key = self._prefix + type_, json.dumps(value).encode(), data["contactId"].encode()
        while True:
            try:
                future = await self._producer.send(topic, body, key=key, headers=HEADERS, partition=partition)
                break
            # Kafka is away for long, and the buffer is full or the topic forgotten: the event was not taken.
            except (KafkaTimeoutError, UnknownTopicOrPartitionError):
                await asyncio.sleep(RETRY_SECONDS)
        self._under_way.add(future)
        future.add_done_callback(lambda done: self._note(event_id, done))

    async def flush(self) -> None:
        """Wait until every event is acknowledged or given up."""
        if self._under_way:
            await asyncio.wait(self._under_way)

    def _note(self, event_id: str, done: "asyncio.Future[Any]") -> None:
        self._under_way.discard(done)
        if not done.cancelled() and done.exception() is None:
            self.acknowledged.setdefault(event_id, datetime.now(UTC))


class Reader:
    """Reads committed records of all topics while a run goes on; begins anew when Kafka was away for too long."""

    def __init__(self, bootstrap_servers: str, prefix: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._prefix = prefix
        self.records: list[Record] = []
        self.moved_at = 0.0
        self.received: dict[str, datetime] = {}
        """When each record was first read, by where it is."""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.records = []
            try:
                async with _consumer(self._bootstrap_servers, "read_committed") as consumer:
                    consumer.subscribe([self._prefix + name for name in (*INPUTS, *OUTPUTS)])
                    async for record in consumer:
                        for read_record in _understood([record], self._prefix):
                            self.records.append(read_record)
                            self.received.setdefault(read_record.where, datetime.now(UTC))
                        self.moved_at = asyncio.get_running_loop().time()
            except KafkaError:
                await asyncio.sleep(RETRY_SECONDS)

    def outputs(self) -> list[Record]:
        return [record for record in self.records if record.topic in OUTPUTS]

    def inputs(self) -> list[Record]:
        return [record for record in self.records if record.topic not in OUTPUTS]


async def read_all(bootstrap_servers: str, prefix: str, names: Sequence[str]) -> list[Record]:
    """All committed records of these topics, each partition's in order, by a reader that knows nothing from before."""
    found: list[Record] = []
    async with asyncio.timeout(READ_WITHIN), _consumer(bootstrap_servers, "read_committed") as consumer:
        partitions = await _partitions(bootstrap_servers, [prefix + name for name in names])
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        while not all([await consumer.position(each) >= ends[each] for each in partitions]):
            for page in (await consumer.getmany(timeout_ms=200)).values():
                found += _understood(page, prefix)
    return found


async def open_transactions(bootstrap_servers: str, prefix: str) -> list[str]:
    """The partitions of the outputs on which readers of committed records cannot reach the end."""
    partitions = await _partitions(bootstrap_servers, [prefix + name for name in OUTPUTS])
    ends = {}
    for isolation in ("read_committed", "read_uncommitted"):
        async with _consumer(bootstrap_servers, isolation) as consumer:
            consumer.assign(partitions)
            ends[isolation] = await consumer.end_offsets(partitions)
    return [
        f"{tp.topic}/{tp.partition}" for tp, end in ends["read_uncommitted"].items() if ends["read_committed"][tp] < end
    ]


def acknowledged(records: Sequence[Record], by_id: Acknowledged) -> list[Record]:
    """The same records, each with what its writer knew."""
    return [
        Record(r.topic, r.partition, r.offset, r.appended_at, r.source, r.id, r.type, r.data, by_id.get(r.id))
        for r in records
    ]


def _consumer(bootstrap_servers: str, isolation: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        isolation_level=isolation,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        metadata_max_age_ms=2000,
    )


async def _partitions(bootstrap_servers: str, topics: Sequence[str]) -> list[TopicPartition]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        described = await admin.describe_topics(list(topics))
    finally:
        await admin.close()
    return [TopicPartition(each["topic"], number["partition"]) for each in described for number in each["partitions"]]


def _understood(records: "Sequence[ConsumerRecord[bytes, bytes]]", prefix: str) -> list[Record]:
    """All but inputs that are broken: nobody is to make anything of those."""
    found = []
    for record in records:
        try:
            found.append(_record(record, prefix))
        except (ValueError, KeyError):
            if record.topic.removeprefix(prefix) not in INPUTS:
                raise
    return found


def _record(record: "ConsumerRecord[bytes, bytes]", prefix: str) -> Record:
    topic = record.topic.removeprefix(prefix)
    return read(topic, record.partition, record.offset, record.timestamp, record.value or b"")
