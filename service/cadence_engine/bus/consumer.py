"""The consumer process: a FastStream batch subscriber per inbound topic, each with its own group, and the watermark.

FastStream declares the subscribers, runs their loops and stops them; offsets are ours, as they live in the database
beside the effects. So each subscriber's `get_msg`, which its loop awaits for the next batch, is replaced by our
reader's `poll`. The name is public but undocumented: the version is pinned, and tests/bus would notice. Why this way,
and what to do should it break: decisions/0003-consume-from-stored-offsets.md.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Any, Final

import asyncpg
import structlog
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import FAKE_CONSUMER, KafkaMessage
from faststream.kafka.subscriber.usecase import BatchSubscriber
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512
from opentelemetry.trace import SpanKind

from cadence_engine.backoff import Backoff, sleep_unless
from cadence_engine.bus import stuck, topics, watermark
from cadence_engine.bus.parse import Reading, read_page, reasons
from cadence_engine.bus.reader import Poll, TopicReader
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.page import PageCounts
from cadence_engine.handlers.received import Page
from cadence_engine.health import Readiness
from cadence_engine.links import kafka
from cadence_engine.metrics import records as metrics
from cadence_engine.metrics.process import PROCESS
from cadence_engine.settings import Settings
from cadence_engine.storage import database
from cadence_engine.storage.connection import Pool
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.progress import Rewound
from cadence_engine.storage.watermark import clock
from cadence_engine.telemetry import describe
from cadence_engine.tracing import spans

log = structlog.stdlib.get_logger("cadence_engine.bus.consumer")
framework_log = logging.getLogger("cadence_engine.bus.faststream")
framework_log.setLevel(logging.ERROR)  # it would tell of every page

ApplyPage = Callable[[UnitOfWork, Page, Policy], Awaitable[PageCounts]]
Wake = Callable[[Sequence[datetime]], Awaitable[None]]

METADATA_MAX_AGE_MS: Final = 3_000
"""How soon a new partition is noticed; the gate waits for it meanwhile."""

POLL_MS: Final = 500
GATE_POLL_MS: Final = 100
"""A page of transaction markers alone is noticed only when a poll ends empty: the watermark waits for it."""

SASL: Final = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
HANDLER_GRACE: Final = 5.0
STOP_WITHIN: Final = 6.0
REPLACE_WITHIN: Final = 30.0
CLOSE_WITHIN: Final = 0.5
START_LOOK_SECONDS: Final = 0.1
READINESS_EVERY: Final = 1.0


async def run(
    settings: Settings,
    stop: asyncio.Event,
    *,
    apply: ApplyPage,
    policy: Policy,
    wake: Wake,
    readiness: Readiness | None = None,
) -> None:
    """Apply every inbound record until `stop` is set; then end within 10 s, never inside a transaction.

    Servers that are not there, and topics that do not exist, are waited for. What is due sooner goes to `wake`.
    Raises ConsumerStuck where only a new process helps.
    """
    readiness = readiness or Readiness()
    readiness.block("consumer", "starting")
    pool = await _connect(settings, stop)
    if pool is None:
        return
    PROCESS.connects("topics", pool)
    raising = asyncio.create_task(watermark.run(settings, pool, stop))
    backoff = Backoff(most=5.0)
    try:
        while not stop.is_set():
            try:
                await _Session(settings, pool, stop, apply, policy, wake, readiness).run()
                backoff.reset()
            except stuck.ConsumerStuck:
                raise
            except topics.TopicsMissing as missing:
                log.error("topics_missing", topics=missing.names, hint=str(missing))
                readiness.block("consumer", str(missing))
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("kafka_unavailable", error=describe(error))
                readiness.block("consumer", describe(error))
            except Exception as error:
                log.exception("consumer_failed")
                readiness.block("consumer", describe(error))
            await sleep_unless(stop, 0 if stop.is_set() else backoff.next())
    finally:
        await asyncio.wait([raising], timeout=CLOSE_WITHIN)
        raising.cancel()  # between two statements or inside one, each its own transaction
        await _disconnect(pool)


async def _connect(settings: Settings, stop: asyncio.Event) -> "Pool | None":
    """A pool with a connection for each topic, so that none waits for another's page, and one for the watermark."""
    backoff = Backoff(most=5.0)
    size = max(settings.pool_size, len(topics.inbound(settings)) + 1)
    while not stop.is_set():
        try:
            return await database.connect(settings.database_url.get_secret_value(), process="consumer", size=size)
        except (OSError, asyncpg.PostgresError, TimeoutError) as error:
            log.warning("postgres_unavailable", error=describe(error))
            await sleep_unless(stop, backoff.next())
    return None


async def _disconnect(pool: Pool) -> None:
    try:
        async with asyncio.timeout(CLOSE_WITHIN):
            await pool.close()
    except TimeoutError:
        pool.terminate()


class _Session:
    """The subscribers from their start to their stop; one beyond repair ends it, so that new ones begin."""

    def __init__(
        self,
        settings: Settings,
        pool: Pool,
        stop: asyncio.Event,
        apply: ApplyPage,
        policy: Policy,
        wake: Wake,
        readiness: Readiness,
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._stop = stop
        self._apply = apply
        self._policy = policy
        self._wake = wake
        self._readiness = readiness
        self._give_up = asyncio.Event()
        self._subscribed: list[tuple[TopicReader, BatchSubscriber]] = []

    @property
    def _readers(self) -> list[TopicReader]:
        return [reader for reader, _ in self._subscribed]

    async def run(self) -> None:
        """Until `stop` is set, a consumer gave up or one is stuck."""
        names = topics.inbound(self._settings)
        await topics.check(self._settings, names)
        await topics.report_clocks(self._settings)
        broker = KafkaBroker(
            self._settings.kafka_bootstrap_servers,
            client_id=f"{self._settings.topic_prefix}cadence-engine",
            metadata_max_age_ms=METADATA_MAX_AGE_MS,
            consumer_only=True,
            allow_auto_create_topics=False,
            apply_types=False,
            graceful_timeout=HANDLER_GRACE,
            request_timeout_ms=int(stuck.request_timeout(self._settings) * 1000),
            logger=framework_log,
            security=_security(self._settings),
        )
        for name in names:
            self._subscribed.append(self._subscribe(broker, name))
            metrics.subscribed(self._plain(name))
        try:
            await broker.connect()
            if await self._start():
                await self._watch()
        finally:
            await self._close(broker)

    def _plain(self, topic: str) -> str:
        """Its name in the contract."""
        return topic.removeprefix(self._settings.topic_prefix)

    def _subscribe(self, broker: KafkaBroker, topic: str) -> tuple[TopicReader, BatchSubscriber]:
        reader = TopicReader(
            topic,
            self._pool,
            page_records=self._settings.page_records,
            poll_ms=GATE_POLL_MS if topic in topics.gate(self._settings) else POLL_MS,
            stop=self._stop,
            give_up=self._give_up,
        )
        session_ms = int(self._settings.session_timeout * 1000)
        subscriber = broker.subscriber(
            topic,
            batch=True,
            group_id=f"{self._settings.topic_prefix}cadence-engine.{self._plain(topic)}",
            group_instance_id=self._settings.instance or None,
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=session_ms // 3,
            auto_offset_reset="none",
            isolation_level="read_committed",
            ack_policy=AckPolicy.MANUAL,
            no_reply=True,
            listener=reader.assignment,
            parser=_as_message,
            decoder=_poll_of,
        )
        subscriber.get_msg = reader.poll  # type: ignore[method-assign]
        subscriber(partial(self._handle, reader))
        return reader, subscriber

    async def _handle(self, reader: TopicReader, poll: Poll) -> None:
        """Apply one page in one transaction. FastStream swallows what a handler raises, so nothing may leave it."""
        topic = self._plain(poll.topic)
        try:
            async with self._pool.acquire() as connection:
                now = await clock(connection)
            reading = Reading(topic, now, self._policy.inbox_memory, traced=spans.wanted())
            page = await read_page(poll.records, poll.spans, reading)
            began = monotonic()
            with _traced(topic, poll, page) as told:
                counts, wake_at = await database.run(self._pool, lambda unit: self._apply(unit, page, self._policy))
                told.tell(**asdict(counts))
        except Rewound as rewound:
            reader.rewound(rewound)
        except Exception as error:  # noqa: BLE001  # whatever it was: nothing was kept, the page is read again
            reader.failed(poll, error)
            metrics.failed(topic)
        else:
            reader.applied(poll)
            metrics.applied(topic, counts, reasons(page.dead_letters), monotonic() - began)
            _report(poll, page)
            if wake_at:
                await self._wake(wake_at)

    async def _start(self) -> bool:
        """All at once, as each waits for its group; False where `stop` came first, or one is stuck."""
        starting = [asyncio.create_task(subscriber.start()) for _, subscriber in self._subscribed]
        try:
            while not all(start.done() for start in starting):
                if self._stop.is_set() or await stuck.find(self._readers, self._settings):
                    return False
                done, _ = await asyncio.wait(starting, timeout=START_LOOK_SECONDS, return_when=asyncio.FIRST_EXCEPTION)
                for start in done:
                    start.result()
        finally:
            # One that went on beside its closing would join the group again, and read for nobody.
            for start in starting:
                start.cancel()
            await asyncio.wait([asyncio.gather(*starting, return_exceptions=True)], timeout=CLOSE_WITHIN)
        log.info("consuming", topics=len(self._subscribed))
        return True

    async def _watch(self) -> None:
        """Say how the readers are, until the session has to end."""
        was_ready = False
        while not (self._stop.is_set() or self._give_up.is_set() or await stuck.find(self._readers, self._settings)):
            unsettled = [reader.topic for reader, _ in self._subscribed if not reader.settled]
            if unsettled:
                self._readiness.block("consumer", f"not reading: {', '.join(unsettled)}")
            else:
                self._readiness.clear("consumer")
                if not was_ready:
                    log.info("ready")
            was_ready = not unsettled
            for reader, subscriber in self._subscribed:
                metrics.standing(
                    self._plain(reader.topic),
                    behind=reader.behind(subscriber.consumer),
                    held_partitions=len(reader.holds.reasons),
                )
                if reader.holds.reasons:
                    self._readiness.degrade(reader.topic, "; ".join(reader.holds.reasons.values()))
                else:
                    self._readiness.clear(reader.topic)
            await sleep_unless(self._stop, READINESS_EVERY if was_ready else READINESS_EVERY / 20)
        if self._give_up.is_set():
            log.error("consumer_restarted", hint="reads kept failing: see read_failed above")

    async def _close(self, broker: KafkaBroker) -> None:
        """Soon where the process stops; else wholly, as a consumer left behind would keep its partitions from others.

        Raises ConsumerStuck.
        """
        self._readiness.block("consumer", "stopping" if self._stop.is_set() else "beginning anew")
        metrics.nobody_reads()
        closing = asyncio.create_task(self._say_goodbye(broker))
        stopping = asyncio.create_task(self._stop.wait())
        try:
            while not (self._stop.is_set() or closing.done()):
                await asyncio.wait({closing, stopping}, timeout=REPLACE_WITHIN, return_when=asyncio.FIRST_COMPLETED)
                if not (self._stop.is_set() or closing.done()) and await stuck.kafka_answers(self._settings):
                    raise stuck.ConsumerStuck
            await asyncio.wait({closing}, timeout=STOP_WITHIN)
            if not closing.done():
                log.warning(
                    "stopped_without_goodbye", hint="Kafka did not answer; the group notices by its session timeout"
                )
        finally:
            stopping.cancel()
            closing.cancel()

    async def _say_goodbye(self, broker: KafkaBroker) -> None:
        try:
            await asyncio.gather(*(reader.lag.close(subscriber.consumer) for reader, subscriber in self._subscribed))
            await broker.stop()
        except Exception as error:  # noqa: BLE001  # what had died inside of a consumer comes to light now
            log.warning("closed_with_errors", error=describe(error))


def _traced(topic: str, poll: Poll, page: Page) -> AbstractContextManager[spans.Told]:
    if not poll.records:
        return nullcontext(spans.NOBODY_HEARS)  # markers alone: nothing that anybody would look for
    about: dict[str, spans.Attribute] = {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.destination.name": topic,
        "messaging.batch.message_count": len(poll.records),
    }
    links = (received.traceparent for received in page.received)
    return spans.within(f"process {topic}", SpanKind.CONSUMER, links=links, attributes=about)


def _security(settings: Settings) -> BaseSecurity:
    """What `links.kafka` says, as FastStream takes it."""
    link = kafka.security(settings)
    user, password, context = link["sasl_plain_username"], link["sasl_plain_password"], link["ssl_context"]
    if user is None or password is None:
        return BaseSecurity(ssl_context=context)
    return SASL[link["sasl_mechanism"]](user, password, ssl_context=context)


def _report(poll: Poll, page: Page) -> None:
    log.debug("page_applied", topic=poll.topic, records=len(poll.records), events=len(page.received))
    if page.dead_letters:
        first = page.dead_letters[0]
        log.warning(
            "dead_letters",
            topic=poll.topic,
            reasons=reasons(page.dead_letters),
            first={"partition": first.partition, "offset": first.offset, "detail": first.detail},
        )


def _as_message(batch: tuple[Poll, ...]) -> KafkaMessage:
    """FastStream's own parser decodes headers, and fails the batch on a binary one; ours leaves all to `read_page`."""
    (poll,) = batch
    return KafkaMessage(raw_message=batch, body=poll, consumer=FAKE_CONSUMER)


def _poll_of(message: KafkaMessage) -> Any:
    return message.body
