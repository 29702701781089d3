"""Raises the watermark: the instant up to which every record of the gate topics that Kafka acknowledged is applied.

Each round reads the database's clock and progress, and only then the ends of all partitions, with fresh metadata: what
was acknowledged by that instant lies below those ends. When progress has passed them, the watermark is that instant.
A partition without progress is never passed, so a new one holds the gate until the consumer has found it. Any number
of these loops may run; no clock but the database's is asked.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from types import TracebackType
from typing import Final, NamedTuple, Self

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import UnknownTopicOrPartitionError, for_code

from cadence_engine.backoff import Backoff, sleep_unless
from cadence_engine.bus import topics
from cadence_engine.links import kafka
from cadence_engine.settings import Settings
from cadence_engine.storage import watermark
from cadence_engine.storage.connection import Connection, Pool
from cadence_engine.telemetry import describe

log = structlog.stdlib.get_logger("cadence_engine.bus.watermark")

PENDING_AT_MOST: Final = 512
CONNECT_WITHIN: Final = 15.0
ROUND_WITHIN: Final = 40.0
"""Seconds; more than an answer of PostgreSQL (30) or of Kafka (5) may take: what lasts longer never ends."""

Ends = Mapping[tuple[str, int], int]


class Sample(NamedTuple):
    """All that was acknowledged at `taken_at` lies below `ends`."""

    taken_at: datetime
    ends: Ends

    def is_covered_by(self, progress: Ends) -> bool:
        """Whether everything below the ends is applied."""
        return all(progress.get(partition, -1) >= end for partition, end in self.ends.items())


class Pending:
    """Samples that progress has not passed yet, oldest first; when there are too many, every second one is dropped."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque()

    def add(self, sample: Sample) -> None:
        """`sample` is the newest."""
        self._samples.append(sample)
        if len(self._samples) > PENDING_AT_MOST:
            self._samples = deque(list(self._samples)[::2])

    def take_covered(self, progress: Ends) -> Sample | None:
        """The newest sample that progress has passed; it and all older ones are forgotten."""
        newest = None
        while self._samples and self._samples[0].is_covered_by(progress):
            newest = self._samples.popleft()
        return newest

    def __len__(self) -> int:
        return len(self._samples)


class LogEnds:
    """Asks the brokers where the logs end, aborted and open transactions included. An async context."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topics = topics.gate(settings)

    async def __aenter__(self) -> Self:
        async with asyncio.timeout(CONNECT_WITHIN), AsyncExitStack() as stack:
            self._admin = await stack.enter_async_context(topics.admin(self._settings))
            self._consumer = AIOKafkaConsumer(
                **kafka.link(self._settings),
                request_timeout_ms=topics.REQUEST_TIMEOUT_MS,
                isolation_level="read_uncommitted",
                enable_auto_commit=False,
            )
            stack.push_async_callback(self._consumer.stop)
            await self._consumer.start()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def read(self) -> Ends:
        """The end offset of every partition that exists now. Raises aiokafka.errors.KafkaError."""
        partitions = [
            TopicPartition(topic, partition)
            for topic, numbers in (await self._partitions()).items()
            for partition in numbers
        ]
        return {(tp.topic, tp.partition): end for tp, end in (await self._consumer.end_offsets(partitions)).items()}

    async def _partitions(self) -> dict[str, list[int]]:
        found = {}
        for topic in await self._admin.describe_topics(list(self._topics)):
            if topic["error_code"]:
                raise for_code(topic["error_code"])(topic["topic"])
            if not topic["partitions"]:
                raise UnknownTopicOrPartitionError(topic["topic"])
            found[topic["topic"]] = [partition["partition"] for partition in topic["partitions"]]
        return found


class Watermark:
    """The loop's state between rounds."""

    def __init__(self, connection: Connection, ends: LogEnds, gate: Sequence[str]) -> None:
        self._connection = connection
        self._ends = ends
        self._gate = gate
        self._pending = Pending()
        self._beyond: Ends = {}

    async def run_once(self) -> datetime | None:
        """One round; answers the instant that the watermark was raised to, if any."""
        now, progress = await watermark.read(self._connection, self._gate)
        ends = await self._ends.read()
        if self._is_beyond_log(progress, ends):
            return None
        self._pending.add(Sample(now, ends))
        covered = self._pending.take_covered(progress)
        if covered is None:
            return None
        await watermark.raise_to(self._connection, covered.taken_at, covered.ends)
        return covered.taken_at

    def _is_beyond_log(self, progress: Ends, ends: Ends) -> bool:
        """Progress was read first, so it cannot be past the ends: unless the topic was made anew or lost its tail."""
        beyond = {partition: offset for partition, offset in progress.items() if offset > ends.get(partition, offset)}
        if beyond and beyond != self._beyond:
            log.error(
                "progress_beyond_log",
                partitions=[f"{topic}/{partition}" for topic, partition in beyond],
                hint="the topic was made anew, or lost records: no step runs until its progress is reset",
            )
        self._beyond = beyond
        return bool(beyond)


async def run(settings: Settings, pool: Pool, stop: asyncio.Event) -> None:
    """Raise the watermark every `watermark_every` until `stop` is set. Connects anew after a failure; never raises."""
    backoff = Backoff(most=2.0)
    while not stop.is_set():
        try:
            async with pool.acquire() as connection, LogEnds(settings) as ends:
                # A watermark that a crash takes back is only lower, so its commit need not wait for the disk.
                await connection.execute("SET synchronous_commit = off")
                loop = Watermark(connection, ends, topics.gate(settings))
                while not stop.is_set():
                    async with asyncio.timeout(ROUND_WITHIN):
                        await loop.run_once()
                    backoff.reset()
                    await sleep_unless(stop, settings.watermark_every)
        except Exception as error:  # noqa: BLE001  # whatever it was, the loop must go on: the gate waits meanwhile
            log.warning("watermark_waits", error=describe(error))
            await sleep_unless(stop, backoff.next())
