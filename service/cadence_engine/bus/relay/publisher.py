"""One transactional producer, from its start (which fences the one before) to the first doubt about it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, Final

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import OffsetAndMetadata

from cadence_engine.bus.relay import names
from cadence_engine.bus.relay.mark import Mark
from cadence_engine.bus.relay.pace import PUBLISH_WITHIN
from cadence_engine.bus.relay.points import OnPoint, Point
from cadence_engine.bus.relay.records import Outgoing
from cadence_engine.links.kafka import link
from cadence_engine.settings import Settings

START_WITHIN: Final = 10.0
CLOSE_WITHIN: Final = 0.5
# A little longer than the relay's own limit: the broker's rollback is for relays that can no longer speak.
TRANSACTION_TIMEOUT_MS: Final = int(PUBLISH_WITHIN * 2000)
REQUEST_TIMEOUT_MS: Final = 5000
SENDER_LOG: Final = "aiokafka.producer.sender"

_closing: set[asyncio.Task[None]] = set()
"""Dropped producers that wait for the broker; it fences them when it is back."""


class Publisher:
    """Publishes transactions one after the other; after an error it must not be used again."""

    def __init__(self, producer: AIOKafkaProducer, settings: Settings, warnings: "_Warnings") -> None:
        self._producer = producer
        self._settings = settings
        self._warnings = warnings

    @property
    def is_doubtful(self) -> bool:
        """Whether a request was repeated: its first copy may still be on the way, and hit the *next* transaction."""
        return self._warnings.seen

    async def publish(self, records: Iterable[Outgoing], mark: Mark, on_point: OnPoint) -> None:
        """One Kafka transaction: the records, the mark, the commit.

        Raises TimeoutError after PUBLISH_WITHIN, or KafkaError; either way the outcome is unknown.
        """
        async with asyncio.timeout(PUBLISH_WITHIN):
            await self._producer.begin_transaction()
            acknowledged = [future async for future in self._send(records)]
            # Kafka's client would commit also when a batch was refused.
            await asyncio.gather(*acknowledged)
            # Not beside them: while its coordinator adds the mark to the transaction, Kafka refuses records of it as
            # NOT_ENOUGH_REPLICAS, and the client repeats them, which makes a producer doubtful.
            await self._commit_mark(mark)
            await on_point(Point.BEFORE_KAFKA_COMMIT)
            await self._producer.commit_transaction()
        await on_point(Point.AFTER_KAFKA_COMMIT)

    async def repeat(self, mark: Mark) -> None:
        """Commit the mark again, in a transaction of its own, so that it does not expire while nothing happens."""
        async with asyncio.timeout(PUBLISH_WITHIN):
            await self._producer.begin_transaction()
            await self._commit_mark(mark)
            await self._producer.commit_transaction()

    async def end_open(self, partitions: Iterable[TopicPartition], *, commit: bool) -> None:
        """Have a marker written in these partitions, which ends everything of ours that is open there."""
        async with asyncio.timeout(PUBLISH_WITHIN):
            await self._producer.begin_transaction()
            for partition in partitions:
                # A transaction without records: the client has no public way to say where else its marker goes.
                self._producer._txn_manager.maybe_add_partition_to_txn(partition)
            await (self._producer.commit_transaction() if commit else self._producer.abort_transaction())

    async def partitions(self) -> list[TopicPartition]:
        """Every partition that may be published to."""
        counts = await self._partitions()
        return [TopicPartition(self._settings.topic(name), n) for name, count in counts.items() for n in range(count)]

    async def _commit_mark(self, mark: Mark) -> None:
        offset = {names.mark_partition(self._settings): OffsetAndMetadata(mark.number, mark.metadata)}
        await self._producer.send_offsets_to_transaction(offset, names.group(self._settings))

    async def _send(self, records: Iterable[Outgoing]) -> AsyncIterator["asyncio.Future[Any]"]:
        """Hand the records over in batches; the order within a partition is theirs.

        Filling the batches here costs a fifth of what `send` does for each record (measured).
        """
        partitions = await self._partitions()
        filling: dict[tuple[str, int], BatchBuilder] = {}
        for record in records:
            place = (record.topic, _partition_of(record, partitions[record.topic]))
            batch = filling.get(place) or self._producer.create_batch()
            if not _append(batch, record):
                yield await self._hand_over(place, batch)
                batch = self._producer.create_batch()
                _append(batch, record)
            filling[place] = batch
        for place, batch in filling.items():
            yield await self._hand_over(place, batch)

    async def _hand_over(self, place: tuple[str, int], batch: BatchBuilder) -> "asyncio.Future[Any]":
        topic, partition = place
        future: asyncio.Future[Any] = await self._producer.send_batch(
            batch, self._settings.topic(topic), partition=partition
        )
        # What fails after we have given up has nobody to hear it.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        return future

    async def _partitions(self) -> Mapping[str, int]:
        return {
            name: len(await self._producer.partitions_for(self._settings.topic(name))) for name in names.PUBLISHED_TO
        }


@asynccontextmanager
async def publisher(settings: Settings, *, batch_bytes: int) -> AsyncIterator[Publisher]:
    """A started publisher, dropped at the end: whatever it has not committed by then is undone by the next start.

    Raises TimeoutError or KafkaError where Kafka does not answer.
    """
    producer = AIOKafkaProducer(
        **link(settings),
        transactional_id=names.transactional_id(settings),
        transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        acks="all",
        compression_type="lz4",  # a quarter less time than none when measured, and far fewer bytes
        max_batch_size=batch_bytes,
        linger_ms=0,
    )
    try:
        async with asyncio.timeout(START_WITHIN):
            await producer.start()
        with _Warnings() as warnings:
            yield Publisher(producer, settings, warnings)
    finally:
        await _drop(producer)


async def _drop(producer: AIOKafkaProducer) -> None:
    """Close without an answer from the broker, if need be."""
    closing = asyncio.create_task(producer.stop())
    _closing.add(closing)
    closing.add_done_callback(_closing.discard)
    closing.add_done_callback(lambda done: done.cancelled() or done.exception())
    await asyncio.wait({closing}, timeout=CLOSE_WITHIN)


class _Warnings(logging.Handler):
    """The client repeats requests by itself and tells nobody but its log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.seen = False

    def emit(self, _: logging.LogRecord) -> None:
        self.seen = True

    def __enter__(self) -> "_Warnings":
        sender = logging.getLogger(SENDER_LOG)
        if not sender.isEnabledFor(logging.WARNING):
            sender.setLevel(logging.WARNING)
        sender.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger(SENDER_LOG).removeHandler(self)


def _append(batch: BatchBuilder, record: Outgoing) -> bool:
    return (
        batch.append(timestamp=record.timestamp_ms, key=record.key, value=record.value, headers=list(record.headers))
        is not None
    )


def _partition_of(record: Outgoing, partitions: int) -> int:
    return record.spread % partitions if record.key is None else _partition_of_key(record.key, partitions)


@lru_cache(maxsize=50_000)
def _partition_of_key(key: bytes, partitions: int) -> int:
    """Where every Kafka client puts this key."""
    everywhere = range(partitions)
    partition: int = DefaultPartitioner()(key, everywhere, everywhere)
    return partition
