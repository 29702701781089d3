"""Inbound records that all become visible at one instant: they lie in a Kafka transaction until its commit."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from aiokafka import AIOKafkaProducer

from cadence_contracts import write_record
from cadence_contracts.inbound import Inbound
from tests.bench.stage import Ground

SOURCE = "/crm"
OPEN_FOR_MS = 300_000
NOTE = "From visible in Kafka to committed; two consumers, against two connections."

AllApplied = Callable[[], Awaitable[bool]]


@contextlib.asynccontextmanager
async def held_back(ground: Ground, events: Iterable[Inbound]) -> AsyncIterator[AllApplied]:
    """Produce the events; leaving the context lets them be seen. Yields what tells whether all are applied."""
    ends: dict[tuple[str, int], int] = {}

    async def applied() -> bool:
        rows = await ground.pool.fetch("SELECT topic, partition, next_offset FROM stream_progress")
        reached = {(row[0], row[1]): row[2] for row in rows}
        return all(reached.get(partition, 0) >= end for partition, end in ends.items())

    producer = AIOKafkaProducer(
        bootstrap_servers=ground.settings.kafka_bootstrap_servers,
        transactional_id=f"{ground.settings.topic_prefix}bench",
        transaction_timeout_ms=OPEN_FOR_MS,
        max_batch_size=256 * 1024,
        linger_ms=5,
    )
    async with producer:
        await producer.begin_transaction()
        sent = []
        for n, event in enumerate(events):
            record = write_record(event, id=f"event-{n}", source=SOURCE)
            named = record._replace(topic=ground.settings.topic(record.topic))
            sent.append(await producer.send(**named._asdict()))
        for each in sent:
            where = await each
            partition = where.topic, where.partition
            ends[partition] = max(ends.get(partition, 0), where.offset + 1)
        yield applied
        await producer.commit_transaction()
