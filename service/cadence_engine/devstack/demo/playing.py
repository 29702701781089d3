"""Plays the script as other services and an operator would, each line at its second."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from cadence_engine.devstack import fleet
from cadence_engine.devstack.demo.demands import Published
from cadence_engine.devstack.demo.script import Act, Line, Script

Until = Callable[[float], Awaitable[None]]
"""Waits until that second of the script."""
Position = tuple[TopicPartition, int]

READ_BACK_WITHIN = 30.0
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Played:
    """How far the script has come."""

    sent: int = 0
    published: list[Published] = field(default_factory=list)


async def play(script: Script, environment: Mapping[str, str], prefix: str, played: Played) -> None:
    """Publish every line and do every act; returns when the last is acknowledged. `played` is told as it goes."""
    bootstrap_servers = environment["KAFKA_BOOTSTRAP_SERVERS"]
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", enable_idempotence=True) as producer:
        began = asyncio.get_running_loop().time()

        async def until(at: float) -> None:
            await asyncio.sleep(began + at - asyncio.get_running_loop().time())

        positions, _ = await asyncio.gather(
            _publish(script.lines, producer, prefix, played, until), _act(script.acts, environment, until)
        )
    stamps = await _timestamps(bootstrap_servers, positions)
    played.published += [
        Published(line, partition.partition, offset, stamps[partition, offset])
        for line, (partition, offset) in zip(script.lines, positions, strict=True)
    ]


async def _publish(
    lines: Sequence[Line], producer: AIOKafkaProducer, prefix: str, played: Played, until: Until
) -> list[Position]:
    sending = []
    for line in lines:
        await until(line.at)
        sending.append(await producer.send(prefix + line.topic, line.value, key=line.key, headers=list(line.headers)))
        played.sent += 1
    return [(metadata.topic_partition, metadata.offset) for metadata in await asyncio.gather(*sending)]


async def _timestamps(bootstrap_servers: str, positions: Sequence[Position]) -> dict[Position, datetime]:
    """The records' timestamps as every reader sees them: the broker's on the gate's topics, else the producer's."""
    left, stamps = set(positions), {}
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest")
    async with consumer, asyncio.timeout(READ_BACK_WITHIN):
        consumer.assign({partition for partition, _ in positions})
        while left:
            for partition, records in (await consumer.getmany(timeout_ms=1000)).items():
                for record in records:
                    stamps[partition, record.offset] = EPOCH + timedelta(milliseconds=record.timestamp)
                    left.discard((partition, record.offset))
    return stamps


async def _act(acts: Sequence[Act], environment: Mapping[str, str], until: Until) -> None:
    for act in acts:
        await until(act.at)
        await asyncio.to_thread(fleet.command, environment, *act.arguments)
