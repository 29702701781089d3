"""What a `read_committed` reader finds on the topics that sends and step events are published to, and since when."""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from cadence_contracts import topics
from tests.bench.stage import PARTITIONS, BenchError, Ground

PUBLISHED = (topics.OUTBOUND, topics.EVENTS)


@dataclass(frozen=True, slots=True)
class Told:
    """A record's event."""

    type: str
    id: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Watch:
    """Looks at how far the topics can be read."""

    reader: AIOKafkaConsumer
    partitions: Sequence[TopicPartition]
    looks: list[tuple[float, int]] = field(default_factory=list)

    async def look(self) -> int:
        """Up to where all partitions can be read now, together; the moment is remembered."""
        ends = await self.reader.end_offsets(self.partitions)
        self.looks.append((perf_counter(), sum(ends.values())))
        return self.looks[-1][1]

    async def complete_since(self) -> float:
        """The moment (of `perf_counter`) of the first look that found all that can be read now."""
        end = await self.look()
        return next(moment for moment, offset in self.looks if offset == end)

    async def told(self) -> list[Told]:
        """All that can be read, from the beginning."""
        return await read_all(self.reader, self.partitions)


@contextlib.asynccontextmanager
async def watching(ground: Ground) -> AsyncIterator[Watch]:
    """A watch over all that sends and step events are published to."""
    async with committed_reader(ground) as reader:
        yield Watch(reader, partitions(ground))


def committed_reader(ground: Ground) -> AIOKafkaConsumer:
    """Of no group. Its end offsets are those up to which a `read_committed` reader can read."""
    return AIOKafkaConsumer(bootstrap_servers=ground.settings.kafka_bootstrap_servers, isolation_level="read_committed")


def partitions(ground: Ground) -> list[TopicPartition]:
    """All that sends and step events are published to."""
    return [TopicPartition(ground.settings.topic(name), number) for name in PUBLISHED for number in range(PARTITIONS)]


async def is_published(ground: Ground) -> bool:
    """Whether the relay has nothing left to do."""
    return not await ground.pool.fetchval("SELECT EXISTS (SELECT FROM event_batches WHERE published_at IS NULL)")


async def read_all(reader: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> list[Told]:
    """All events of these partitions, a partition's in their order."""
    reader.assign(partitions)
    await reader.seek_to_beginning(*partitions)
    ends = await reader.end_offsets(partitions)
    told = []
    while any([await reader.position(each) < ends[each] for each in partitions]):
        for page in (await reader.getmany(timeout_ms=200)).values():
            for record in page:
                event = orjson.loads(record.value)
                told.append(Told(event["type"], event["id"], event["data"]))
    return told


async def check_kafka(ground: Ground, reader: AIOKafkaConsumer) -> list[Told]:
    """What the topics hold. Raises BenchError unless that is just what the log holds, nothing twice."""
    told = await read_all(reader, partitions(ground))
    found = {each.id for each in told}
    logged = {str(row[0]) for row in await ground.pool.fetch("SELECT event_id FROM cadence_events")}
    if len(told) != len(logged) or found != logged:
        missing, foreign = len(logged - found), len(found - logged)
        raise BenchError(f"Kafka holds {len(told)} records, {missing} events of the log missing, {foreign} foreign")
    return told
