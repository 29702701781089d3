"""The operator's way out when database and Kafka tell different histories: decide which one to trust."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import uuid4

from aiokafka.admin import AIOKafkaAdminClient

from cadence_engine.bus import topics
from cadence_engine.bus.relay import kafka
from cadence_engine.bus.relay.dropped import true_mark
from cadence_engine.bus.relay.ends import look
from cadence_engine.bus.relay.errors import HistoryMismatch, LeaseTaken, RelayError
from cadence_engine.bus.relay.mark import Mark, UnreadableMark
from cadence_engine.bus.relay.publisher import Publisher, publisher
from cadence_engine.bus.relay.recovery import examine
from cadence_engine.settings import Settings
from cadence_engine.storage import database
from cadence_engine.storage import relay as storage
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.relay import State

LEASE_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.2


class Trust(StrEnum):
    DATABASE = "database"
    """Publish all that the database holds as unpublished: nothing is missing, something may be there twice."""
    KAFKA = "kafka"
    """What is logged and not newer than the mark's batches counts as published: something may be missing.

    What the engine decides anew afterwards, from the input that it reads again, is published whatever Kafka holds.
    """


@dataclass(frozen=True, slots=True)
class Picture:
    """What both sides say, and what a decision would do, or did."""

    mark: Mark | None
    """None also where the mark cannot be read."""
    state: State
    mismatch: str | None
    """Why the relay would stop; None where it would go on by itself."""
    unpublished: int
    """Batches that the relay would publish, or publish again, when the database is trusted."""
    passed_over: int
    """Those of them that count as published when Kafka is trusted."""


async def resolve(settings: Settings, trust: Trust | None = None) -> Picture:
    """Look at both sides and, with `trust`, make them agree; the picture is from before.

    Does nothing where they agree already. Waits for the lease, so that no relay publishes meanwhile. Raises LeaseTaken
    when it is not given up, RelayError when Kafka is to be trusted but has no mark to tell, TimeoutError, KafkaError,
    OSError or asyncpg.PostgresError where a server does not answer.
    """
    async with (
        await database.connect(settings.database_url.get_secret_value(), process="relay resolve", size=1) as pool,
        pool.acquire() as connection,
        _alone(connection, settings),
        topics.admin(settings) as admin,
    ):
        await topics.check(settings, topics.outbound(settings))
        limits = await kafka.largest_records(admin, settings)
        async with publisher(settings, batch_bytes=kafka.batch_bytes(limits.values())) as producer:
            picture = await _look(connection, admin, producer, settings)
            match trust if picture.mismatch else None:
                case Trust.DATABASE:
                    await producer.repeat(Mark(picture.state.last_mark, picture.state.last_digest))
                case Trust.KAFKA:
                    await _follow(connection, picture.mark)
                case None:
                    pass
            return picture


async def _look(connection: Connection, admin: AIOKafkaAdminClient, producer: Publisher, settings: Settings) -> Picture:
    state = await storage.state(connection)
    mark, mismatch = None, None
    try:
        mark = await kafka.read_mark(admin, settings)
        mark = await true_mark(connection, settings, mark, await look(settings, await producer.partitions()))
        await examine(connection, mark)
    except (UnreadableMark, HistoryMismatch) as found:
        mismatch = str(found)
    return Picture(
        mark=mark,
        state=state,
        mismatch=mismatch,
        unpublished=len(await storage.unpublished_until(connection)),
        passed_over=len(await _passed_over(connection, mark)),
    )


async def _follow(connection: Connection, mark: Mark | None) -> None:
    if mark is None:
        raise RelayError("Kafka has no readable mark to trust: decide with --trust database")
    async with connection.transaction():
        await storage.set_published(connection, await _passed_over(connection, mark))
        await storage.overrule(connection, mark.number, mark.digest)


async def _passed_over(connection: Connection, mark: Mark | None) -> list[int]:
    return await storage.unpublished_until(connection, max(mark.batch_ids)) if mark and mark.batch_ids else []


@asynccontextmanager
async def _alone(connection: Connection, settings: Settings) -> AsyncIterator[None]:
    """Hold the lease; a relay that stopped for the mismatch gives it back, or lets it run out."""
    me = f"relay resolve/{uuid4().hex[:8]}"
    for _ in range(int(settings.relay_lease * 1.5 / POLL_SECONDS) + 1):
        if await storage.take_lease(connection, me, LEASE_SECONDS):
            break
        await asyncio.sleep(POLL_SECONDS)
    else:
        raise LeaseTaken(await storage.current_leader(connection))
    try:
        yield
    finally:
        await storage.release_lease(connection, me)
