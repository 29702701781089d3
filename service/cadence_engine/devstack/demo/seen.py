"""What came out: the records of the three outbound topics, by enrollment."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from aiokafka import ConsumerRecord

from cadence_contracts import InvalidRecord, outbound, read_record, topics
from cadence_contracts.dead_letters import HEADER_OFFSET, HEADER_PARTITION, HEADER_REASON, HEADER_TOPIC
from cadence_contracts.outbound import (
    EnrollmentCancelled,
    EnrollmentCompleted,
    EnrollmentEvent,
    EnrollmentParked,
    EnrollmentResumed,
    EnrollmentStarted,
    SendRequested,
    StepExecuted,
)

RawRecord: TypeAlias = "ConsumerRecord[bytes, bytes]"


@dataclass(frozen=True, slots=True)
class Arrived:
    """A send, and when a reader of committed records had it."""

    send: SendRequested
    at: datetime


@dataclass(slots=True)
class Trace:
    """All that was told of one enrollment, in the order of its topics."""

    events: list[EnrollmentEvent] = field(default_factory=list)
    sends: list[Arrived] = field(default_factory=list)

    @property
    def started(self) -> EnrollmentStarted | None:
        first = self.events[0] if self.events else None
        return first if isinstance(first, EnrollmentStarted) else None

    @property
    def last(self) -> EnrollmentEvent | None:
        return self.events[-1] if self.events else None

    @property
    def completed(self) -> bool:
        return any(isinstance(event, EnrollmentCompleted) for event in self.events)

    @property
    def cancelled(self) -> EnrollmentCancelled | None:
        return next((event for event in self.events if isinstance(event, EnrollmentCancelled)), None)

    @property
    def parked(self) -> bool:
        return isinstance(self.last, EnrollmentParked)

    @property
    def next_due(self) -> datetime | None:
        """When its next step was or would have been due, after the last one that ran."""
        due = None
        for event in self.events:
            if isinstance(event, EnrollmentStarted | StepExecuted):
                due = event.next_run_at
        return due

    def late(self) -> list[tuple[SendRequested, float]]:
        """Of each send the seconds from its due time until it could be read; without those that were parked."""
        held = {event.revision + 1 for event in self.events if isinstance(event, EnrollmentResumed)}
        revisions = {event.send_id: event.revision for event in self.events if isinstance(event, StepExecuted)}
        return [
            (arrived.send, (arrived.at - arrived.send.due_at).total_seconds())
            for arrived in self.sends
            if revisions.get(arrived.send.send_id) not in held
        ]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One as it came out; (topic, partition, offset) is where the broken record is, the topic without a prefix."""

    position: tuple[str, int, int]
    reason: str
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes | None]


@dataclass(slots=True)
class Seen:
    """Everything so far. `oddities` are what no outbound topic may ever hold."""

    prefix: str
    traces: dict[UUID, Trace] = field(default_factory=dict)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    oddities: list[str] = field(default_factory=list)
    _ids: set[tuple[str, str]] = field(default_factory=set)

    def note(self, record: RawRecord, at: datetime) -> None:
        """Take in one record, read at `at`."""
        topic = record.topic.removeprefix(self.prefix)
        if topic == topics.DEAD_LETTERS:
            self._note_dead_letter(record)
            return
        where = f"{topic}/{record.partition}@{record.offset}"
        try:
            envelope = read_record(record.value, record.headers)
            event = outbound.parse(envelope)
        except InvalidRecord as invalid:
            self.oddities.append(f"{where} breaks the contract: {invalid}")
            return
        if event is None or topics.topic_of(envelope.type) != topic:
            self.oddities.append(f"{where} holds an event of a type that does not belong there")
            return
        if (envelope.source, envelope.id) in self._ids:
            self.oddities.append(f"{where} holds an event that was published before")
            return
        self._ids.add((envelope.source, envelope.id))
        trace = self.traces.setdefault(event.enrollment_id, Trace())
        if isinstance(event, SendRequested):
            trace.sends.append(Arrived(event, at))
        elif isinstance(event, EnrollmentEvent):
            trace.events.append(event)

    def events(self) -> Counter[str]:
        """How many events there are of each type; a cancelled one by `cancelled: REASON`."""
        told: Counter[str] = Counter()
        for trace in self.traces.values():
            for event in trace.events:
                told[event.event_type] += 1
                if isinstance(event, EnrollmentCancelled):
                    told[f"cancelled: {event.reason}"] += 1
        return told

    def sends(self) -> Counter[int]:
        """How many sends there are of each step's position."""
        return Counter(arrived.send.step_index for trace in self.traces.values() for arrived in trace.sends)

    def lateness(self) -> list[float]:
        """Seconds from due to readable, of all sends that nothing held, the smallest first."""
        return sorted(seconds for trace in self.traces.values() for _, seconds in trace.late())

    def _note_dead_letter(self, record: RawRecord) -> None:
        headers = dict(record.headers)
        try:
            topic, partition, offset, reason = (
                (headers.pop(name) or b"").decode()
                for name in (HEADER_TOPIC, HEADER_PARTITION, HEADER_OFFSET, HEADER_REASON)
            )
            position = topic.removeprefix(self.prefix), int(partition), int(offset)
        except (KeyError, ValueError):
            self.oddities.append(f"dead letter {record.partition}@{record.offset} does not say where it comes from")
            return
        self.dead_letters.append(DeadLetter(position, reason, record.key, record.value, headers))


def percentile(ordered: list[float], share: float) -> float | None:
    """The value that this share of them does not exceed; None of none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
