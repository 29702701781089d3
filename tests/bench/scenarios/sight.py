"""When a `read_committed` reader could see each send: told by looks at how far the topic can be read."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import time
from typing import NamedTuple

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from cadence_contracts import topics
from tests.bench.published import committed_reader
from tests.bench.stage import PARTITIONS, BenchError, Ground

SENDS = "SELECT event_id::text FROM cadence_events WHERE type = 'whatsapp.send.requested'"

Look = tuple[float, int]
"""A moment, and the offset up to which a partition can be read then."""


class Send(NamedTuple):
    """All moments are seconds since 1970, by the database's clock; `decided_at` and `due_at` are what the send says."""

    id: str
    company_id: str
    due_at: float
    decided_at: float
    seen_at: float

    @property
    def lateness(self) -> float:
        """Seconds."""
        return self.seen_at - self.due_at


@dataclass(slots=True)
class Sight:
    """Looks from time to time, and reads only when the measurement is over: a reader would take its share of it."""

    ground: Ground
    reader: AIOKafkaConsumer
    partitions: Sequence[TopicPartition]
    ahead: float
    """Seconds by which the database's clock is ahead of ours."""
    looks: dict[TopicPartition, list[Look]] = field(default_factory=dict)

    async def look(self) -> int:
        """How far all partitions can be read together, markers of transactions counted."""
        ends = await self.reader.end_offsets(self.partitions)
        moment = time() + self.ahead
        for partition, end in ends.items():
            looks = self.looks.setdefault(partition, [])
            if not looks or looks[-1][1] < end:
                looks.append((moment, end))
        return sum(ends.values())

    async def sends(self) -> list[Send]:
        """All sends, by the moment at which they were seen. Raises BenchError unless they are those of the log."""
        await self.look()
        sends = await self._read()
        async with self.ground.patient() as connection:
            logged = {row[0] for row in await connection.fetch(SENDS)}
        if len(sends) != len(logged) or logged != {send.id for send in sends}:
            raise BenchError(f"Kafka holds {len(sends)} sends, the log {len(logged)}, and they are not the same")
        return sorted(sends, key=lambda send: send.seen_at)

    async def _read(self) -> list[Send]:
        self.reader.assign(self.partitions)
        await self.reader.seek_to_beginning(*self.partitions)
        ends = {partition: looks[-1][1] for partition, looks in self.looks.items()}
        places = dict.fromkeys(self.partitions, 0)
        found = []
        while any([await self.reader.position(each) < ends[each] for each in self.partitions]):
            for partition, page in (await self.reader.getmany(timeout_ms=200)).items():
                looks = self.looks[partition]
                for record in page:
                    while looks[places[partition]][1] <= record.offset:
                        places[partition] += 1
                        if places[partition] == len(looks):
                            raise BenchError(f"{partition}: offset {record.offset} is behind all that was looked at")
                    found.append(_send(record.value, looks[places[partition]][0]))
        return found


def _send(value: bytes, seen_at: float) -> Send:
    told = orjson.loads(value)["data"]
    due_at, decided_at = (datetime.fromisoformat(told[name]).timestamp() for name in ("dueAt", "requestedAt"))
    return Send(told["sendId"], told["companyId"], due_at, decided_at, seen_at)


@contextlib.asynccontextmanager
async def in_sight(ground: Ground) -> AsyncIterator[Sight]:
    """The sends' topic in sight."""
    partitions = [TopicPartition(ground.settings.topic(topics.OUTBOUND), number) for number in range(PARTITIONS)]
    async with committed_reader(ground) as reader:
        yield Sight(ground, reader, partitions, await _ahead(ground))


async def _ahead(ground: Ground) -> float:
    before = time()
    now: datetime = await ground.pool.fetchval("SELECT clock_timestamp()")
    return now.timestamp() - (before + time()) / 2
