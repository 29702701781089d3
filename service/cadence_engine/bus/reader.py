"""Reads one topic from where the database says, and gives out what each poll covered.

`poll` stands in for the subscriber's `get_msg`, so that FastStream's loop calls it in the task that also handles the
page: nothing here runs beside a page that is being applied. After any doubt (a failure, a rebalance, a database that
was rolled back) the answer is the same: seek again from `stream_progress`, and poll again.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    ConsumerStoppedError,
    CorruptRecordException,
    KafkaError,
    OffsetOutOfRangeError,
    RecordTooLargeError,
    UnsupportedCodecError,
)

from cadence_engine.backoff import Backoff, sleep_unless
from cadence_engine.bus.holds import Holds
from cadence_engine.bus.lag import LagReport
from cadence_engine.bus.parse import RawRecord
from cadence_engine.storage import progress
from cadence_engine.storage.connection import NOT_NOW, Pool
from cadence_engine.storage.progress import Rewound, Span

log = structlog.stdlib.get_logger("cadence_engine.bus.reader")

CHUNK_RECORDS: Final = 100
PAGE_BYTES: Final = 8 * 1024 * 1024
"""A page ends with the chunk that takes it past this many bytes of keys and values."""

REBALANCE_POLL_SECONDS: Final = 0.2
FAILED_READS_TO_GIVE_UP: Final = 12

QUIET_SECONDS: Final = 2.0
"""An empty poll this long after a failure's pause says that the failure is over: there was nothing left to fail."""

LOOK_BACK_EVERY: Final = 2.0
"""Seconds: a database that was rolled back while nothing arrives would otherwise be noticed by the next record."""

UNREADABLE: Final = (CorruptRecordException, UnsupportedCodecError, RecordTooLargeError)


@dataclass(frozen=True, slots=True)
class Poll:
    """What one poll returned; it may hold no record, where only transaction markers were passed."""

    topic: str
    spans: tuple[Span, ...]
    records: tuple[RawRecord, ...]


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]
    """Flags alone: aiokafka swallows what a listener raises, and delivers records while it awaits."""

    def __init__(self) -> None:
        self.seek_needed = True
        self._stable = asyncio.Event()

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:  # noqa: ARG002
        self.seek_needed = True
        self._stable.clear()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:  # noqa: ARG002
        self.seek_needed = True
        self._stable.set()

    async def is_stable(self) -> bool:
        """Whether no rebalance is under way, after waiting a little for its end."""
        if not self._stable.is_set():
            await sleep_unless(self._stable, REBALANCE_POLL_SECONDS)
        return self._stable.is_set()


class TopicReader:
    """The consuming side of one topic. Times are seconds unless said otherwise."""

    def __init__(
        self, topic: str, pool: Pool, *, page_records: int, poll_ms: int, stop: asyncio.Event, give_up: asyncio.Event
    ) -> None:
        """`give_up` is set when reads keep failing: the consumer is beyond repair and must be made anew."""
        self.topic = topic
        self.assignment = Assignment()
        self.holds = Holds()
        self.lag = LagReport()
        self.settled = False
        """Whether it has sought its offsets at least once and nothing failed since."""
        self._heard_at = _now()
        self._answered: set[int | None] = set()
        self._pool = pool
        self._page_records = page_records
        self._limit = page_records
        self._poll_ms = poll_ms
        self._stop = stop
        self._give_up = give_up
        self._backoff = Backoff()
        self._failed_reads = 0
        self._pause = 0.0
        self._quiet_at = 0.0
        self._looked_back_at = 0.0
        self._next: dict[TopicPartition, int] = {}
        self._applied: dict[TopicPartition, int] = {}
        self._alone_until: dict[TopicPartition, int] = {}

    async def poll(self, consumer: AIOKafkaConsumer) -> tuple[Poll, ...]:
        """The next page as a batch of one, or nothing. Raises ConsumerStoppedError alone."""
        await sleep_unless(self._stop, self._pause)
        self._pause = 0.0
        if self._stop.is_set():
            await asyncio.sleep(REBALANCE_POLL_SECONDS)  # FastStream's loop ends when its broker is stopped
            return ()
        if not await self.assignment.is_stable():
            await self._hear_group(consumer)
            return ()
        try:
            if self.assignment.seek_needed or self.holds.is_one_over():
                await self._seek(consumer)
            poll = await (self._read_alone(consumer) if self._alone_until else self._read(consumer))
            if not poll.spans:
                await self._look_back()
        except ConsumerStoppedError:
            raise
        except OffsetOutOfRangeError as gone:
            for tp, offset in gone.args[0].items():
                self.holds.gone(tp, offset)
            self.assignment.seek_needed = True
            self._heard_at = _now()
        except Exception as error:  # noqa: BLE001  # whatever it was, the loop must go on
            if not self.assignment.seek_needed:  # else a rebalance took the partitions away: not a failure
                self._failed_read(consumer, error)
        else:
            self._failed_reads = 0
            self.lag.send(consumer)
            if self.assignment.seek_needed:
                return ()
            if poll.spans:
                self._heard_at = _now()
                self._move_on(poll)
                return (poll,)
            if self._is_answered(consumer):
                self._heard_at = _now()
                if self._heard_at >= self._quiet_at:
                    self._all_is_well()
        return ()

    def behind(self, consumer: AIOKafkaConsumer) -> int:
        """How many records (and markers) lie behind what is applied, as far as Kafka's last answers told."""
        ends = {tp: consumer.highwater(tp) or 0 for tp in self._applied if tp in consumer.assignment()}
        return sum(max(0, end - self._applied[tp]) for tp, end in ends.items())

    def silent_for(self) -> float:
        """Since it last came back with a page, with an answer of Kafka's, or with an error; or had applied a page."""
        return _now() - self._heard_at

    def wait_on(self) -> None:
        """Kafka answers nobody: that this reader is silent says nothing about it."""
        self.settled = False
        self._heard_at = _now()

    def applied(self, poll: Poll) -> None:
        """The page is in the database: go on."""
        self._heard_at = _now()
        self._all_is_well()
        self._limit = min(self._page_records, self._limit * 2)
        self.lag.note(poll.spans)
        self._applied.update({TopicPartition(span.topic, span.partition): span.next for span in poll.spans})

    def failed(self, poll: Poll, error: Exception) -> None:
        """The page was rolled back: it is read again after a pause, half as long, so that one bad record stands out."""
        self._limit = max(1, min(self._limit, len(poll.records)) // 2)
        self._retry("page_failed", error, spans=[f"{s.partition}:{s.first}-{s.next}" for s in poll.spans])

    def rewound(self, error: Rewound) -> None:
        """The database was rolled back to before this page."""
        self._again_after_pause()
        log.warning("database_rewound", topic=self.topic, detail=str(error))

    def _retry(self, action: str, error: Exception, **where: object) -> None:
        self.settled = False
        self._again_after_pause()
        log.error(
            action,
            topic=self.topic,
            failures=self._backoff.failures,
            again_in=round(self._pause, 3),
            exc_info=error,
            **where,
        )

    def _again_after_pause(self) -> None:
        self.assignment.seek_needed = True
        self._pause = self._backoff.next()
        self._heard_at = _now()
        self._quiet_at = self._heard_at + self._pause + QUIET_SECONDS

    def _all_is_well(self) -> None:
        self._backoff.reset()
        self.settled = True

    # Seeking

    async def _seek(self, consumer: AIOKafkaConsumer) -> None:
        self.assignment.seek_needed = False  # first, so that a rebalance meanwhile is not missed
        assigned = consumer.assignment()
        async with self._pool.acquire() as connection:
            stored = await progress.load(connection, self.topic)
        new = [tp for tp in assigned if tp.partition not in stored]
        if new:
            stored |= await self._begin(consumer, new)
        self._next = {}
        for tp in assigned:
            if self.holds.is_held(tp):
                consumer.pause(tp)
                continue
            if tp in consumer.paused():
                consumer.resume(tp)
            consumer.seek(tp, stored[tp.partition])
            self._next[tp] = stored[tp.partition]
        self._applied = dict(self._next)
        self.holds.keep(assigned)
        self._alone_until = {tp: offset for tp, offset in self._alone_until.items() if tp in self._next}
        self.settled = not self._backoff.failures
        log.info("seeked", topic=self.topic, offsets={tp.partition: offset for tp, offset in self._next.items()})

    async def _begin(self, consumer: AIOKafkaConsumer, new: list[TopicPartition]) -> Mapping[int, int]:
        beginnings = await consumer.beginning_offsets(new)
        async with self._pool.acquire() as connection:
            await progress.begin(connection, self.topic, {tp.partition: offset for tp, offset in beginnings.items()})
            return await progress.load(connection, self.topic)

    # Listening

    async def _hear_group(self, consumer: AIOKafkaConsumer) -> None:
        """What fails in a rebalance is told to whoever polls, and the rebalance rests until somebody was told."""
        try:
            async with asyncio.timeout(REBALANCE_POLL_SECONDS):
                await consumer.getmany()  # what it may return is sought again
        except TimeoutError:
            pass
        except KafkaError as error:
            if not await self.assignment.is_stable():  # else it is about partitions that we have not sought yet
                self._failed_read(consumer, error)

    def _is_answered(self, consumer: AIOKafkaConsumer) -> bool:
        """Whether Kafka answered since the last look: a fetcher that died is as quiet as a topic without records."""
        before, self._answered = self._answered, {consumer.last_poll_timestamp(tp) for tp in self._next}
        return not self._next or self._answered != before

    async def _look_back(self) -> None:
        """Seek again where the database holds less than was read before: restored, or failed over with a loss."""
        if self.assignment.seek_needed or _now() - self._looked_back_at < LOOK_BACK_EVERY:
            return
        self._looked_back_at = _now()
        try:
            async with self._pool.acquire() as connection:
                stored = await progress.load(connection, self.topic)
        except NOT_NOW:
            return  # whoever has something to apply says so; the next look is soon
        lost = [
            Span(tp.topic, tp.partition, read_to, read_to)
            for tp, read_to in self._next.items()
            if stored.get(tp.partition, -1) < read_to
        ]
        if lost:
            self.rewound(Rewound(lost))

    # Reading

    def _move_on(self, poll: Poll) -> None:
        for span in poll.spans:
            tp = TopicPartition(span.topic, span.partition)
            del self._next[tp]  # to the end: where partitions are read alone, the others come first now
            self._next[tp] = span.next

    async def _read(self, consumer: AIOKafkaConsumer) -> Poll:
        records: list[RawRecord] = []
        size, timeout_ms = 0, self._poll_ms
        while len(records) < self._limit and size < PAGE_BYTES:
            room = min(CHUNK_RECORDS, self._limit - len(records))
            polled = await consumer.getmany(timeout_ms=timeout_ms, max_records=room)
            if not polled:
                break
            for chunk in polled.values():
                records += chunk
                size += sum(map(_size, chunk))
            timeout_ms = 0
        return Poll(self.topic, await self._spans(consumer, self._next), tuple(records))

    async def _read_alone(self, consumer: AIOKafkaConsumer) -> Poll:
        """One partition, record by record, to tell which record it is that cannot be read."""
        for tp in list(self._next):
            records: list[RawRecord] = []
            size = 0
            while len(records) < self._limit and size < PAGE_BYTES:
                try:
                    polled = await consumer.getmany(tp, timeout_ms=0, max_records=1)
                except Exception as error:
                    if not _is_unreadable(error):
                        raise
                    if records:
                        break  # apply these first; the next poll meets it again, at the page's beginning
                    self.holds.unreadable(tp, self._next[tp], error)
                    self._alone_until.clear()
                    self.assignment.seek_needed = True
                    return Poll(self.topic, (), ())
                if not polled:
                    break
                records += polled[tp]
                size += sum(map(_size, polled[tp]))
            spans = await self._spans(consumer, [tp])
            if spans:
                self._drop_searched(spans)
                return Poll(self.topic, spans, tuple(records))
        await asyncio.sleep(self._poll_ms / 1000)
        return Poll(self.topic, (), ())

    async def _spans(self, consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition]) -> tuple[Span, ...]:
        if self.assignment.seek_needed:
            # A partition that came back in a rebalance has no position until we seek: `position` would wait for ever.
            return ()
        spans = []
        for tp in partitions:
            position = await consumer.position(tp)
            if position > self._next[tp]:
                spans.append(Span(tp.topic, tp.partition, self._next[tp], position))
        return tuple(spans)

    # What cannot be read

    def _failed_read(self, consumer: AIOKafkaConsumer, error: Exception) -> None:
        self._failed_reads += 1
        if _is_unreadable(error):
            self._alone_until = {tp: consumer.highwater(tp) or self._next[tp] + 1 for tp in self._next}
        if self._failed_reads >= FAILED_READS_TO_GIVE_UP:
            self._give_up.set()
        self._retry("read_failed", error)

    def _drop_searched(self, spans: Iterable[Span]) -> None:
        """A partition that was read up to where it ended when the failure came holds no unreadable record."""
        for span in spans:
            tp = TopicPartition(span.topic, span.partition)
            if span.next >= self._alone_until.get(tp, 0):
                self._alone_until.pop(tp, None)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _size(record: RawRecord) -> int:
    """In bytes; of no key or no value one too few, which is all the same to a page."""
    size: int = record.serialized_key_size + record.serialized_value_size
    return size


def _is_unreadable(error: Exception) -> bool:
    """Whether a record's own bytes may be at fault: aiokafka decodes header names and unpacks batches while we read.

    A codec's error has any type; Kafka's, the network's and the database's other errors are told by theirs.
    """
    return isinstance(error, UNREADABLE) or not isinstance(error, (KafkaError, asyncpg.PostgresError, *NOT_NOW))
