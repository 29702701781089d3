"""A consumer on real servers, whose page handler keeps what it was given in a table."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import asyncpg
import pytest_asyncio
import structlog
from aiokafka import AIOKafkaProducer
from structlog.testing import capture_logs

from cadence_contracts import write_record
from cadence_contracts.inbound import ContactUpdated, Inbound, MessageReceived
from cadence_engine.bus import consumer, topics
from cadence_engine.bus.consumer import ApplyPage
from cadence_engine.devstack.servers import Servers
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.page import PageCounts
from cadence_engine.handlers.received import Page
from cadence_engine.health import Readiness
from cadence_engine.settings import Settings
from cadence_engine.storage import database, dead_letters, inbox, progress
from cadence_engine.storage.connection import Pool
from cadence_engine.storage.database import UnitOfWork

T = TypeVar("T")
PARTITIONS = 2
WITHIN = 60.0


async def eventually(look: Callable[[], Awaitable[T]], until: Callable[[T], object]) -> T:
    """What `look` saw once it fits; fails with what it saw last."""
    deadline = time.monotonic() + WITHIN
    while not until(seen := await look()):
        assert time.monotonic() < deadline, f"never came true; last seen: {seen!r}"
        await asyncio.sleep(0.02)
    return seen


@dataclass
class Running:
    """A consumer process in this one's event loop."""

    stop: asyncio.Event
    task: asyncio.Task[None]
    readiness: Readiness
    woken: list[datetime]

    async def ready(self) -> "Running":
        async def look() -> bool:
            assert not self.task.done(), self.task
            return self.readiness.ready

        await eventually(look, bool)
        return self

    async def end(self) -> float:
        """Stop it; answers how many seconds that took."""
        started = time.monotonic()
        self.stop.set()
        await self.task
        return time.monotonic() - started

    async def kill(self) -> None:
        """As near to SIGKILL as a task comes: cancelled wherever it is."""
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


@dataclass
class Road:
    """The topics and the database of one test, producers and consumers on them."""

    settings: Settings
    pool: Pool
    producer: AIOKafkaProducer
    logs: list[Any]
    running: list[Running] = field(default_factory=list)
    fail: Callable[[Page], None] | None = None
    """Called within each page's transaction, after its effects; what it raises rolls them back."""
    pages: list[Page] = field(default_factory=list)
    """Every page that was handed to the handler, also those that failed."""

    def topic(self, name: str) -> str:
        return self.settings.topic(name)

    def environment(self) -> dict[str, str]:
        """For a consumer process of its own."""
        return {
            "DATABASE_URL": self.settings.database_url.get_secret_value(),
            "KAFKA_BOOTSTRAP_SERVERS": self.settings.kafka_bootstrap_servers,
            "REDIS_URL": "redis://127.0.0.1:9",
            "CADENCE_TOPIC_PREFIX": self.settings.topic_prefix,
        }

    async def consume(self, apply: ApplyPage | None = None, **changes: Any) -> Running:
        settings = self.settings.model_copy(update=changes)
        stop, readiness, woken = asyncio.Event(), Readiness(), list[datetime]()

        async def wake(moments: Sequence[datetime]) -> None:
            woken.extend(moments)

        readiness.block("consumer", "not started")
        policy = Policy(inbox_memory=timedelta(days=settings.inbox_days))
        running = consumer.run(settings, stop, apply=apply or self.apply, policy=policy, wake=wake, readiness=readiness)
        self.running.append(Running(stop, asyncio.create_task(running), readiness, woken))
        return self.running[-1]

    async def apply(self, unit: UnitOfWork, page: Page, _: Policy) -> PageCounts:
        """What `handlers.page` does, with a table of its own for effects."""
        self.pages.append(page)
        await progress.advance(unit.connection, page.spans)
        await dead_letters.insert(unit.connection, page.dead_letters)
        new = await inbox.record(unit.connection, [(one.source, one.id) for one in page.received])
        fresh = {(one.source, one.id): one for one in page.received if (one.source, one.id) in new}
        await unit.connection.executemany(
            "INSERT INTO effects (event_id, type, at) VALUES ($1, $2, $3)",
            [(one.id, one.type, one.at) for one in fresh.values()],
        )
        if self.fail is not None:
            self.fail(page)
        return PageCounts(len(fresh), len(page.received) - len(fresh), len(page.dead_letters))

    async def send(self, event: Inbound, *, event_id: str | None = None, topic: str | None = None, **how: Any) -> str:
        """Produce one event and wait for its acknowledgement; answers its id."""
        event_id = event_id or uuid.uuid4().hex
        record = write_record(event, id=event_id, source="/tests", type=how.pop("type", None))
        await self.raw(topic or record.topic, record.value, key=record.key, headers=record.headers, **how)
        return event_id

    async def flood(self, event: Inbound, records: int, *, event_id: str = "flood-{}") -> None:
        """Produce many alike, but for their ids."""
        record = write_record(event, id="ID", source="/tests")
        sent = [
            await self.producer.send(
                self.topic(record.topic),
                record.value.replace(b"ID", event_id.format(number).encode()),
                partition=number % PARTITIONS,
                headers=record.headers,
            )
            for number in range(records)
        ]
        await asyncio.gather(*sent)

    async def raw(self, topic: str, value: bytes | None, **how: Any) -> int:
        """Produce bytes; answers their offset."""
        how.setdefault("key", b"ana")
        sent = await self.producer.send_and_wait(self.topic(topic), value, **how)
        return int(sent.offset)

    async def effects(self) -> list[str]:
        """The ids of applied events, one for each time, in the order of their applying."""
        return [row[0] for row in await self.pool.fetch("SELECT event_id FROM effects ORDER BY n")]

    async def letters(self) -> list[tuple[int, str]]:
        """Offset and reason of every dead letter."""
        rows = await self.pool.fetch("SELECT record_offset, reason FROM dead_letters ORDER BY topic, record_offset")
        return [(row[0], row[1]) for row in rows]

    async def progress(self, topic: str) -> dict[int, int]:
        async with self.pool.acquire() as connection:
            return await progress.load(connection, self.topic(topic))

    async def watermark(self) -> datetime:
        value: datetime = await self.pool.fetchval("SELECT greatest(watermark, 'epoch') FROM reply_gate")
        return value

    async def clock(self) -> datetime:
        value: datetime = await self.pool.fetchval("SELECT clock_timestamp()")
        return value

    async def watermark_passes(self, moment: datetime) -> datetime:
        return await eventually(self.watermark, lambda reached: reached > moment)

    async def actions(self) -> list[str]:
        return [line["event"] for line in self.logs]


@pytest_asyncio.fixture
async def road(servers: Servers, database_url: str, topic_prefix: str) -> AsyncIterator[Road]:
    """Topics of two partitions each; nothing consumes yet. Consumers still running at the end are stopped."""
    settings = Settings(
        DATABASE_URL=database_url,
        KAFKA_BOOTSTRAP_SERVERS=servers.addresses.kafka_bootstrap_servers,
        topic_prefix=topic_prefix,
        trigger_topics=("demo.booked",),
        session_timeout=3,
    )
    await topics.create_topics(settings, partitions=PARTITIONS, replication=1)
    pool = await database.connect(database_url, process="test", size=4)
    await pool.execute(
        "CREATE TABLE effects (n bigserial PRIMARY KEY, event_id text NOT NULL, type text NOT NULL, at timestamptz)"
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers, max_request_size=64 * 1024 * 1024, acks="all"
    )
    await producer.start()
    structlog.reset_defaults()
    with capture_logs() as logs:
        road = Road(settings, pool, producer, logs)
        try:
            yield road
        finally:
            await asyncio.gather(*(running.end() for running in road.running if not running.task.done()))
            await producer.stop()
            await pool.close()


def a_reply(contact: str = "ana") -> MessageReceived:
    return MessageReceived(company_id="acme", contact_id=contact)


def an_update(contact: str = "ana") -> ContactUpdated:
    return ContactUpdated(company_id="acme", contact_id=contact, name="Ana")


__all__ = ["PARTITIONS", "Road", "Running", "a_reply", "an_update", "asyncpg", "eventually"]
