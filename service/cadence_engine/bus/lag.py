"""Tells Kafka which offsets are applied, for lag tools only: nothing reads them back, so a failure is harmless."""

import asyncio
from collections.abc import Iterable
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from cadence_engine.storage.progress import Span

log = structlog.stdlib.get_logger("cadence_engine.bus.lag")

EVERY_SECONDS: Final = 1.0


class LagReport:
    """Commits the newest applied offsets beside the work, at most once a second."""

    def __init__(self) -> None:
        self._offsets: dict[TopicPartition, int] = {}
        self._commit: asyncio.Task[None] | None = None
        self._not_before = 0.0

    def note(self, spans: Iterable[Span]) -> None:
        """These are applied."""
        self._offsets.update({TopicPartition(span.topic, span.partition): span.next for span in spans})

    def send(self, consumer: AIOKafkaConsumer) -> None:
        """Commit what was noted, unless that was done just now or is still under way."""
        now = asyncio.get_running_loop().time()
        under_way = self._commit is not None and not self._commit.done()
        offsets = {tp: offset for tp, offset in self._offsets.items() if tp in consumer.assignment()}
        if offsets and now >= self._not_before and not under_way:
            self._not_before = now + EVERY_SECONDS
            self._offsets = {}
            self._commit = asyncio.create_task(_commit(consumer, offsets))

    async def close(self, consumer: AIOKafkaConsumer | None) -> None:
        """Commit the last ones, if that is quickly done."""
        self._not_before = 0.0
        if consumer is not None:
            self.send(consumer)
        if self._commit is not None:
            await asyncio.wait([self._commit], timeout=EVERY_SECONDS)
            self._commit.cancel()


async def _commit(consumer: AIOKafkaConsumer, offsets: dict[TopicPartition, int]) -> None:
    try:
        await consumer.commit(offsets)
    except (KafkaError, OSError) as error:
        log.debug("lag_not_reported", error=type(error).__name__)
