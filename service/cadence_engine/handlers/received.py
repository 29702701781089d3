"""What a polled page of records is once it is read: understood events, dead letters, and the offsets that it covers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

from cadence_contracts.inbound import AnyInbound, Inbound
from cadence_engine.domain.events import Cause
from cadence_engine.storage.dead_letters import DeadLetter
from cadence_engine.storage.progress import Span

__all__ = ["DeadLetter", "Page", "Received", "Span"]

M_co = TypeVar("M_co", bound=Inbound, covariant=True)


class Received(NamedTuple, Generic[M_co]):
    """An event that was understood; `(source, id)` is its identity in the inbox."""

    event: M_co
    type: str
    """The CloudEvent's type: for a GenericTrigger the trigger's event, else the one of the model."""
    source: str
    id: str
    at: datetime
    """When it happened: the record's Kafka timestamp, never later than the database's clock; aware UTC."""
    traceparent: str | None = None
    """The trace context that the record came with, if somebody traces it."""

    @property
    def cause(self) -> Cause:
        """The event as the cause of what it changes."""
        return Cause(source=self.source, id=self.id, traceparent=self.traceparent)


@dataclass(frozen=True, slots=True)
class Page:
    """One poll: its records in the order of each partition's offsets, one span per partition."""

    spans: tuple[Span, ...]
    received: tuple[Received[AnyInbound], ...]
    dead_letters: tuple[DeadLetter, ...]
