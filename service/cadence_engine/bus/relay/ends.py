"""The ends of the output topics: what readers of committed records saw last, and what lies open behind that."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from uuid import UUID

import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from cadence_contracts import dead_letters, topics
from cadence_engine.domain import events
from cadence_engine.links.kafka import link
from cadence_engine.settings import Settings
from cadence_engine.storage.relay import LetterId, LoggedEvent

LOOKS: Final = 5
LOOK_EVERY: Final = 0.2
"""A marker that was just written shows a moment later, when it is replicated."""
READ_WITHIN: Final = 10.0
MARKERS: Final = 50
"""So many offsets at the end of a partition may be markers, before its last record is looked for in vain."""

Offsets = Mapping[TopicPartition, int]
Record: TypeAlias = "ConsumerRecord[bytes | None, bytes | None]"


@dataclass(frozen=True, slots=True)
class Traces:
    """Events of the log as they are found in the topics: by their id, or by the dead letter that they refer to.

    `logged_at`: when their batches were logged, in milliseconds since 1970.
    """

    event_ids: frozenset[UUID]
    letters: frozenset[LetterId]
    logged_at: frozenset[int]

    def __len__(self) -> int:
        return len(self.event_ids) + len(self.letters)

    def __or__(self, other: "Traces") -> "Traces":
        return Traces(self.event_ids | other.event_ids, self.letters | other.letters, self.logged_at | other.logged_at)

    def hold(self, event: LoggedEvent) -> bool:
        """Whether the event is among them."""
        if event.type == events.DEAD_LETTER:
            return LetterId.of(event) in self.letters
        return event.event_id in self.event_ids


@dataclass(frozen=True, slots=True)
class Ends:
    """`stable` is up to where readers can read, `last` what they saw last, at least one record of each partition.

    `open_` is where more lies behind that, and `behind` what it is.
    """

    stable: Offsets
    last: Traces
    open_: Sequence[TopicPartition]
    behind: Traces


async def look(settings: Settings, partitions: Sequence[TopicPartition]) -> Ends:
    """To be asked when nothing of ours is under way. Raises TimeoutError or KafkaError."""
    async with _consumer(settings, "read_committed") as committed, _consumer(settings, "read_uncommitted") as all_:
        for number in range(LOOKS):
            await asyncio.sleep(LOOK_EVERY if number else 0)
            stable: Offsets = await committed.end_offsets(partitions)
            ends: Offsets = await all_.end_offsets(partitions)
            open_ = {tp: stable[tp] for tp in partitions if stable[tp] < ends[tp]}
            if not open_:
                break
        async with asyncio.timeout(READ_WITHIN):
            behind = await _read(all_, open_, ends)
            last = await _read(committed, await _before(committed, stable, MARKERS), stable)
    return Ends(stable, _traces(settings, last), tuple(open_), _traces(settings, behind))


async def visible(settings: Settings, ends: Ends, records: int) -> Traces:
    """What readers saw last: at least so many records of each partition, where it has them."""
    async with _consumer(settings, "read_committed") as committed, asyncio.timeout(READ_WITHIN):
        begins = await _before(committed, ends.stable, records + MARKERS)
        return _traces(settings, await _read(committed, begins, ends.stable))


def _consumer(settings: Settings, isolation_level: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(**link(settings), isolation_level=isolation_level, enable_auto_commit=False)


async def _before(consumer: AIOKafkaConsumer, ends: Offsets, records: int) -> Offsets:
    first: Offsets = await consumer.beginning_offsets(list(ends))
    return {tp: max(first[tp], end - records) for tp, end in ends.items() if first[tp] < end}


async def _read(consumer: AIOKafkaConsumer, begins: Offsets, ends: Offsets) -> list[Record]:
    if not begins:
        return []
    consumer.assign(list(begins))
    for tp, offset in begins.items():
        consumer.seek(tp, offset)
    records: list[Record] = []
    while any([await consumer.position(tp) < ends[tp] for tp in begins]):
        for page in (await consumer.getmany(timeout_ms=200)).values():
            records += page
    return records


def _traces(settings: Settings, records: Iterable[Record]) -> Traces:
    dead = settings.topic(topics.DEAD_LETTERS)
    event_ids, letters, logged_at = set(), set(), set()
    for record in records:
        logged_at.add(record.timestamp)
        if record.topic != dead:
            event_ids.add(UUID(orjson.loads(record.value or b"")["id"]))
        elif (letter := _letter_id(record)).partition >= 0:
            letters.add(letter)
    return Traces(frozenset(event_ids), frozenset(letters), frozenset(logged_at))


def _letter_id(record: Record) -> LetterId:
    told = {name: value.decode() for name, value in record.headers if name in LETTER_HEADERS}
    topic, partition, offset = (told[name] for name in LETTER_HEADERS)
    return LetterId(topic, int(partition), int(offset))


LETTER_HEADERS: Final = (dead_letters.HEADER_TOPIC, dead_letters.HEADER_PARTITION, dead_letters.HEADER_OFFSET)
