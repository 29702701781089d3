"""What a polled page of records is once it is read: understood events, dead letters, and the offsets that it covers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from cadence_contracts.dead_letters import Reason
from cadence_contracts.inbound import AnyInbound, Inbound

M_co = TypeVar("M_co", bound=Inbound, covariant=True)


@dataclass(frozen=True, slots=True)
class Received(Generic[M_co]):
    """An event that was understood; `(source, id)` is its identity in the inbox."""

    event: M_co
    type: str
    """The CloudEvent's type: for a GenericTrigger the trigger's event, else the one of the model."""
    source: str
    id: str
    at: datetime
    """When it happened: the record's Kafka timestamp, never later than the database's clock; aware UTC."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not be understood, whole, with its reason; it may hold personal data, `detail` does not."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Span:
    """The offsets [first, next) of one partition that a page covers: transaction markers may be among them."""

    topic: str
    partition: int
    first: int
    next: int


@dataclass(frozen=True, slots=True)
class Page:
    """One poll: its records in the order of each partition's offsets, one span per partition."""

    spans: tuple[Span, ...]
    received: tuple[Received[AnyInbound], ...]
    dead_letters: tuple[DeadLetter, ...]
