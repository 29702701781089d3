"""The process `cadence-engine relay`: one replica leads and publishes, the others stand by."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Final
from uuid import uuid4

import structlog

from cadence_engine.backoff import Backoff, sleep_unless
from cadence_engine.bus import topics
from cadence_engine.bus.relay import kafka
from cadence_engine.bus.relay.dropped import true_mark
from cadence_engine.bus.relay.ends import look
from cadence_engine.bus.relay.errors import HistoryMismatch
from cadence_engine.bus.relay.mark import UnreadableMark
from cadence_engine.bus.relay.orphans import end_orphans
from cadence_engine.bus.relay.pace import PUBLISH_WITHIN, Pace, idle_seconds
from cadence_engine.bus.relay.points import OnPoint, Point, pass_by
from cadence_engine.bus.relay.publisher import publisher
from cadence_engine.bus.relay.recovery import settle
from cadence_engine.bus.relay.term import Term
from cadence_engine.health import Readiness
from cadence_engine.metrics import publishing
from cadence_engine.settings import Settings
from cadence_engine.storage import database
from cadence_engine.storage import relay as storage
from cadence_engine.storage.connection import Connection
from cadence_engine.telemetry import describe

STOP_WITHIN: Final = PUBLISH_WITHIN + 1
STAND_BY_POLL: Final = 0.25
FAILURES_TO_RETIRE: Final = 3
"""So many in a row, and another replica may try: what fails may be this one's own network."""
REPEAT_MARK_EVERY: Final = 24 * 3600.0
PART: Final = "relay"

log = structlog.stdlib.get_logger("cadence_engine.relay")


async def run(
    settings: Settings,
    stop: asyncio.Event,
    *,
    readiness: Readiness | None = None,
    on_point: OnPoint = pass_by,
    repeat_mark_every: float = REPEAT_MARK_EVERY,
) -> None:
    """Publish the log, or stand by, until `stop` is set; then end within 10 s and let another replica take over.

    Waits for PostgreSQL, Kafka and the topics where they are not there. Ready means leading with the mark settled, or
    standing by. Raises HistoryMismatch when database and Kafka do not belong together: only an operator can decide.
    """
    relay = Relay(settings, stop, readiness or Readiness(), on_point, repeat_mark_every)
    serving = asyncio.create_task(relay.serve())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({serving}, timeout=STOP_WITHIN)
    finally:
        stopping.cancel()
        # In the midst of a transaction this is nothing worse than a kill: the mark tells the next term.
        cut_off = serving.cancel()
    if cut_off:
        log.warning("relay_cut_off", after_seconds=STOP_WITHIN)
        await asyncio.wait({serving}, timeout=1)
    else:
        serving.result()


class Relay:
    """One replica: what it remembers from one attempt to the next."""

    def __init__(
        self,
        settings: Settings,
        stop: asyncio.Event,
        readiness: Readiness,
        on_point: OnPoint,
        repeat_mark_every: float,
    ) -> None:
        self._settings = settings
        self._stop = stop
        self._readiness = readiness
        self._on_point = on_point
        self._repeat_mark_every = repeat_mark_every
        self._me = f"{socket.gethostname()}/{os.getpid()}/{uuid4().hex[:8]}"
        self._pace = Pace.full(settings.relay_batches)
        self._backoff = Backoff(most=5.0)

    async def serve(self) -> None:
        """Attempt after attempt, each with fresh connections, until told to stop. Raises HistoryMismatch."""
        self._readiness.block(PART, "starting")
        while not self._stop.is_set():
            try:
                await self._attempt()
            except HistoryMismatch as mismatch:
                self._readiness.block(PART, str(mismatch))
                log.critical("relay_history_mismatch", reason=str(mismatch))
                raise
            except Exception as error:  # noqa: BLE001  # whatever it was: a new attempt looks at the mark
                await self._back_off(error)

    async def _back_off(self, error: Exception) -> None:
        if isinstance(error, TimeoutError):
            self._pace = self._pace.slower()
        pause = self._backoff.next()
        publishing.doubted()
        log.warning(
            "relay_doubt",
            error=describe(error),
            failures=self._backoff.failures,
            batches=self._pace.batches,
            again_in=round(pause, 3),
        )
        self._readiness.block(PART, describe(error))
        await sleep_unless(self._stop, pause)

    async def _attempt(self) -> None:
        async with (
            await database.connect(self._settings.database_url.get_secret_value(), process="relay", size=1) as pool,
            pool.acquire() as connection,
        ):
            # The transaction waits for Kafka with its batches locked; a frozen relay loses them after this.
            await connection.execute(f"SET idle_in_transaction_session_timeout = '{PUBLISH_WITHIN + 2}s'")
            if self._backoff.failures >= FAILURES_TO_RETIRE:
                await storage.release_lease(connection, self._me)
                await sleep_unless(self._stop, STAND_BY_POLL * 4)
            async with self._releasing(connection):
                if await self._become_leader(connection):
                    await self._lead(connection)

    async def _become_leader(self, connection: Connection) -> bool:
        """Stand by until the lease is ours; False when told to stop."""
        standing_by = False
        while not self._stop.is_set():
            if await self._take_lease(connection):
                return True
            if not standing_by:
                log.info("relay_standing_by")
                self._readiness.clear(PART)
                standing_by = True
            await sleep_unless(self._stop, STAND_BY_POLL)
        return False

    @asynccontextmanager
    async def _releasing(self, connection: Connection) -> AsyncIterator[None]:
        """Give the lease back when ending for good; after a mere doubt it stays ours."""
        try:
            yield
        except HistoryMismatch:
            await storage.release_lease(connection, self._me)
            raise
        if self._stop.is_set():
            await storage.release_lease(connection, self._me)

    async def _lead(self, connection: Connection) -> None:
        """One term: returns when told to stop, when somebody else leads, or when the producer is to be replaced."""
        async with self._lease_kept(connection) as still_ours, topics.admin(self._settings) as admin:
            # Committing an offset on a topic that is not there would hang for ever.
            await topics.check(self._settings, topics.outbound(self._settings))
            limits = await kafka.largest_records(admin, self._settings)
            async with publisher(self._settings, batch_bytes=kafka.batch_bytes(limits.values())) as producer:
                await self._on_point(Point.PRODUCER_STARTED)
                try:
                    committed = await kafka.read_mark(admin, self._settings)
                except UnreadableMark as unreadable:
                    raise HistoryMismatch(str(unreadable)) from unreadable
                found = await look(self._settings, await producer.partitions())
                if not await still_ours():
                    log.info("relay_superseded")
                    return
                committed = await true_mark(connection, self._settings, committed, found)
                mark = await settle(connection, committed)
                await end_orphans(connection, producer, self._settings, found)
                await self._on_point(Point.MARK_SETTLED)
                log.info("relay_leading", mark=mark.number)
                self._readiness.clear(PART)
                with publishing.leading():
                    await self._publish(Term(connection, producer, limits, self._on_point, mark))

    @asynccontextmanager
    async def _lease_kept(self, connection: Connection) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
        """Renew the lease while Kafka alone is waited for, which may take longer; the answer ends that.

        It says whether the lease is still ours. Else two relays on a slow Kafka would fence each other in turns.
        """
        enough = asyncio.Event()

        async def renew() -> bool:
            while not enough.is_set():
                await sleep_unless(enough, self._settings.relay_lease / 3)
                if not await self._take_lease(connection):
                    return False
            return True

        async def still_ours() -> bool:
            enough.set()
            return await renewing

        renewing = asyncio.create_task(renew())
        renewing.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            yield still_ours
        finally:
            enough.set()
            await asyncio.wait({renewing})

    async def _publish(self, term: Term) -> None:
        renewed = repeated = monotonic() - self._repeat_mark_every
        idle = 0
        while not self._stop.is_set():
            if monotonic() - renewed > self._settings.relay_lease / 3:
                renewed = monotonic()
                if not await self._take_lease(term.connection):
                    log.info("relay_superseded")
                    return
            published = 0
            if await storage.anything_unpublished(term.connection):
                published = await term.publish_next(self._pace.batches)
                self._pace = self._pace.faster()
            elif monotonic() - repeated > self._repeat_mark_every:
                repeated = monotonic()
                await term.repeat_mark()
            self._backoff.reset()
            if term.publisher.is_doubtful:
                log.info("relay_producer_replaced", mark=term.mark.number)
                return
            idle = 0 if published else idle + 1
            if idle:
                await sleep_unless(self._stop, idle_seconds(idle))

    async def _take_lease(self, connection: Connection) -> bool:
        return await storage.take_lease(connection, self._me, self._settings.relay_lease)
