"""Turns polled records into a page: each is an understood event or a dead letter with the contract's reason."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final, TypeAlias

import structlog
from aiokafka import ConsumerRecord

from cadence_contracts import inbound, read_record
from cadence_contracts.dead_letters import InvalidRecord, Reason
from cadence_contracts.inbound import AnyInbound
from cadence_engine.bus.owner import owner_of
from cadence_engine.domain.masking import field_name
from cadence_engine.handlers.received import DeadLetter, Page, Received, Span
from cadence_engine.tracing.contexts import of_record

log = structlog.stdlib.get_logger("cadence_engine.bus.parse")

RawRecord: TypeAlias = "ConsumerRecord[bytes, bytes]"

RECORDS_BETWEEN_YIELDS: Final = 100
"""So that a flood on one topic lets the others' records, replies above all, in between."""

OWN_TRIGGERS: Final = frozenset({"inactivity", "api"})
"""Trigger events that only the engine itself raises; a record of that type must not pass for one."""

NO_TIMESTAMP: Final = -1
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Reading:
    """What reading a record needs to know beside the record."""

    topic: str
    """The contract's name of the topic, without the deployment's prefix."""
    now: datetime
    """The database's clock, read after the poll: whatever carries a later timestamp counts as of now."""
    memory: timedelta
    """How long the inbox remembers; what is older could be applied twice."""
    traced: bool = False
    """Whether trace contexts are wanted."""

    @cached_property
    def now_ms(self) -> int:
        """As Kafka tells time: milliseconds since 1970."""
        return (self.now - EPOCH) // timedelta(milliseconds=1)

    @cached_property
    def stale_ms(self) -> int:
        """What is older than this is not remembered."""
        return self.now_ms - self.memory // timedelta(milliseconds=1)


async def read_page(records: Sequence[RawRecord], spans: Sequence[Span], reading: Reading) -> Page:
    """The page that these records make. Nothing that they may hold makes it fail."""
    received: list[Received[AnyInbound]] = []
    dead_letters: list[DeadLetter] = []
    for position, record in enumerate(records, start=1):
        outcome = read_one(record, reading)
        if isinstance(outcome, Received):
            received.append(outcome)
        else:
            dead_letters.append(outcome)
        if position % RECORDS_BETWEEN_YIELDS == 0:
            await asyncio.sleep(0)
    _log_ignored(reading.topic, received)
    return Page(tuple(spans), tuple(received), tuple(dead_letters))


def read_one(record: RawRecord, reading: Reading) -> Received[AnyInbound] | DeadLetter:
    """The event in the record, or why there is none."""
    try:
        envelope = read_record(record.value, record.headers)
        event = inbound.parse(envelope, topic=reading.topic)
        if reading.topic not in inbound.MODELS and envelope.type in OWN_TRIGGERS:
            raise InvalidRecord(Reason.UNKNOWN_TYPE, "this type is the engine's own; name the event by another")
        at = _happened_at(record.timestamp, reading)
        traceparent = of_record(record.headers, envelope.attributes) if reading.traced else None
    except InvalidRecord as invalid:
        owner = owner_of(record.value, record.headers)
        return DeadLetter(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            timestamp_ms=record.timestamp,
            key=record.key,
            value=record.value,
            headers=tuple(record.headers),
            reason=invalid.reason,
            detail=invalid.detail,
            company_id=owner.company_id,
            contact_id=owner.contact_id,
        )
    return Received(event, envelope.type, envelope.source, envelope.id, at, traceparent)


def _happened_at(timestamp_ms: int, reading: Reading) -> datetime:
    if timestamp_ms == NO_TIMESTAMP or timestamp_ms > reading.now_ms:
        return reading.now
    if timestamp_ms < reading.stale_ms:
        days = reading.memory // timedelta(days=1)
        raise InvalidRecord(Reason.STALE, f"the record is older than the {days} days for which ids are remembered")
    return EPOCH + timedelta(milliseconds=timestamp_ms)


def _log_ignored(topic: str, received: Sequence[Received[AnyInbound]]) -> None:
    ignored = [names for one in received if (names := one.event.ignored)]
    for field, records in Counter(field_name(name) for names in ignored for name in names).items():
        log.warning("field_ignored", topic=topic, field=field, records=records)


def reasons(dead_letters: Sequence[DeadLetter]) -> dict[str, int]:
    """How many there are of each reason."""
    return dict(Counter(letter.reason for letter in dead_letters))
