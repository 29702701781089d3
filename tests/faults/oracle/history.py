"""What was seen: the records of the input topics and those that a reader of committed records found on the outputs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from tests.faults.oracle.definitions import Cadence

OUTBOUND = "whatsapp.outbound"
EVENTS = "cadence.events"

ContactKey: TypeAlias = tuple[str, str]
"""(company id, contact id)"""


@dataclass(frozen=True, slots=True)
class Record:
    """One CloudEvent on Kafka; `appended_at` is the broker's own time, in whole milliseconds."""

    topic: str
    partition: int
    offset: int
    appended_at: datetime
    source: str
    id: str
    type: str
    data: Mapping[str, Any]
    acknowledged_at: datetime | None = None
    """When its writer knew that Kafka has it; None for outputs, and where the writer never learnt it."""

    @property
    def where(self) -> str:
        return f"{self.topic}/{self.partition}@{self.offset}"

    @property
    def identity(self) -> tuple[str, str]:
        return self.source, self.id

    @property
    def contact(self) -> ContactKey:
        return self.data["companyId"], self.data["contactId"]

    def time(self, name: str) -> datetime | None:
        """A field of the data that is an instant or null."""
        value = self.data[name]
        return None if value is None else datetime.fromisoformat(value)

    def instant(self, name: str) -> datetime:
        """A field of the data that is always an instant."""
        return datetime.fromisoformat(self.data[name])


@dataclass(frozen=True, slots=True)
class OperatorCancel:
    """An operator asked for it; the engine said by `confirmed_at` that it is done, or nobody knows."""

    enrollment_id: str
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class History:
    """One run. Each topic's records are in the order of their partitions' offsets."""

    cadences: Sequence[Cadence]
    inputs: Sequence[Record]
    outputs: Sequence[Record]
    settled_at: datetime
    """Whatever was due by then has had all the time that it needs."""
    max_lag: timedelta = timedelta(seconds=5)
    cancels: Sequence[OperatorCancel] = ()


def read(
    topic: str, partition: int, offset: int, timestamp_ms: int, value: bytes, acknowledged_at: datetime | None = None
) -> Record:
    """A record in structured content mode; `topic` without the deployment's prefix."""
    event = json.loads(value)
    appended_at = datetime.fromtimestamp(timestamp_ms // 1000, UTC) + timedelta(milliseconds=timestamp_ms % 1000)
    return Record(
        topic,
        partition,
        offset,
        appended_at,
        event["source"],
        event["id"],
        event["type"],
        event["data"],
        acknowledged_at,
    )
