"""Steps from due to visible for a `read_committed` reader of Kafka: two workers, a relay, a consumer for the gate."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from time import perf_counter
from uuid import UUID

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from cadence_contracts import topics
from cadence_engine.devstack.fleet import Consumer, EngineProcess, Relay, Worker
from tests.bench import due, seed
from tests.bench.rivals import Measured, MeasuredPath
from tests.bench.stage import PARTITIONS, BenchError, Ground, Stage, running
from tests.bench.waiting import until

PUBLISHED = (topics.OUTBOUND, topics.EVENTS)


async def by_engine(stage: Stage, rows: int) -> Measured:
    async with stage.ground(with_topics=True) as ground:
        await seed.cadences(ground.pool)
        async with running(_processes(ground)), _reader(ground) as reader:
            due_at, started = await due.soon(ground, rows)
            await asyncio.sleep(started - perf_counter())
            looks: list[tuple[float, int]] = []

            async def all_published() -> bool:
                ends = await reader.end_offsets(_partitions(ground))
                looks.append((perf_counter(), sum(ends.values())))
                return not await due.anything_due(ground, due_at) and await _is_published(ground)

            await until(all_published, "all sends published")
            end = sum((await reader.end_offsets(_partitions(ground))).values())
            # The database learns of a Kafka commit later than a reader: the first look at the final end tells.
            seen = next((moment for moment, offset in looks if offset == end), perf_counter())
            log = await due.checked(ground, rows)
            await _check_kafka(ground, reader, rows)
        return Measured(rows, seen - started, log)


def _processes(ground: Ground) -> Sequence[EngineProcess]:
    environment = ground.environment()
    return [
        Consumer(ground.directory / "consumer", environment),
        Relay(ground.directory / "relay", environment),
        *(Worker(ground.directory / f"worker-{n}", environment) for n in range(2)),
    ]


def _reader(ground: Ground) -> AIOKafkaConsumer:
    """Of no group. Its end offsets are those up to which a `read_committed` reader can read."""
    return AIOKafkaConsumer(bootstrap_servers=ground.settings.kafka_bootstrap_servers, isolation_level="read_committed")


def _partitions(ground: Ground) -> list[TopicPartition]:
    return [TopicPartition(ground.settings.topic(name), number) for name in PUBLISHED for number in range(PARTITIONS)]


async def _is_published(ground: Ground) -> bool:
    return not await ground.pool.fetchval("SELECT EXISTS (SELECT FROM event_batches WHERE published_at IS NULL)")


async def _check_kafka(ground: Ground, reader: AIOKafkaConsumer, rows: int) -> None:
    """Raises BenchError unless the topics hold just the log, nothing twice."""
    partitions = _partitions(ground)
    reader.assign(partitions)
    await reader.seek_to_beginning(*partitions)
    ends = await reader.end_offsets(partitions)
    found: Counter[UUID] = Counter()
    while not all([await reader.position(each) >= ends[each] for each in partitions]):
        for page in (await reader.getmany(timeout_ms=200)).values():
            found.update(UUID(orjson.loads(record.value)["id"]) for record in page)
    logged = {row[0] for row in await ground.pool.fetch("SELECT event_id FROM cadence_events")}
    if found.total() != 2 * rows or found.keys() != logged:
        missing, foreign = len(logged - found.keys()), len(found.keys() - logged)
        raise BenchError(f"Kafka holds {found.total()} records, {missing} events of the log missing, {foreign} foreign")


PATH = MeasuredPath("kafka", "due to visible on Kafka", by_engine, due.by_sql)
