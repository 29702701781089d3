"""Reads what comes out, as another service would: committed records only."""

from collections.abc import Mapping
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer

from cadence_contracts import topics
from cadence_engine.devstack.demo.seen import Seen

OUT = (topics.OUTBOUND, topics.EVENTS, topics.DEAD_LETTERS)
POLL_MS = 50


async def read(environment: Mapping[str, str], seen: Seen) -> None:
    """Note everything on the outbound topics, from their beginning, until cancelled."""
    consumer = AIOKafkaConsumer(
        *(seen.prefix + topic for topic in OUT),
        bootstrap_servers=environment["KAFKA_BOOTSTRAP_SERVERS"],
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        fetch_max_wait_ms=POLL_MS,
    )
    async with consumer:
        while True:
            polled = await consumer.getmany(timeout_ms=POLL_MS)
            now = datetime.now(UTC)
            for records in polled.values():
                for record in records:
                    seen.note(record, now)
