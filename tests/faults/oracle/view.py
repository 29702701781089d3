"""A history, sorted by enrollments and contacts."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.faults.oracle.definitions import Cadence
from tests.faults.oracle.history import EVENTS, OUTBOUND, ContactKey, History, Record

STARTED = "cadence.enrollment.started"
EXECUTED = "cadence.step.executed"
SKIPPED = "cadence.step.skipped"
PARKED = "cadence.enrollment.parked"
RESUMED = "cadence.enrollment.resumed"
CANCELLED = "cadence.enrollment.cancelled"
COMPLETED = "cadence.enrollment.completed"
ENDS = (CANCELLED, COMPLETED)
SEND = "whatsapp.send.requested"
PAUSED = "cadence.enrollment.paused"
TYPES = {
    OUTBOUND: {SEND},
    EVENTS: {STARTED, EXECUTED, SKIPPED, PARKED, PAUSED, RESUMED, CANCELLED, COMPLETED},
}


@dataclass(slots=True)
class Passage:
    """Everything that was published of one enrollment, each topic in its order; of a repeated event the first alone."""

    enrollment_id: str
    events: list[Record] = field(default_factory=list)
    sends: list[Record] = field(default_factory=list)
    erased: list[Record] = field(default_factory=list)
    """What stands, under the revision of its execution, in the place of a send that its contact's deletion overtook."""
    cadence: Cadence | None = None
    trigger: Record | None = None
    """The first record of the event that it names as its cause."""

    @property
    def contact(self) -> ContactKey:
        return (self.events or self.sends or self.erased)[0].contact

    @property
    def started(self) -> Record | None:
        return next((event for event in self.events if event.type == STARTED), None)

    @property
    def executed(self) -> list[Record]:
        return [event for event in self.events if event.type == EXECUTED]

    @property
    def end(self) -> Record | None:
        return next((event for event in self.events if event.type in ENDS), None)

    @property
    def is_parked(self) -> bool:
        return bool(self.events) and self.events[-1].type == PARKED

    @property
    def next_due(self) -> datetime | None:
        """When the step after the last one that ran is due, as the engine told."""
        told = [event for event in self.events if event.type in (STARTED, EXECUTED)]
        return told[-1].time("nextRunAt") if told else None


@dataclass(frozen=True, slots=True)
class Stop:
    """A record that ends passages; `kind` is the reason that their cancellation gives."""

    kind: str
    record: Record
    ended_at: datetime | None = None
    """Of an opt-out: when the contact wanted messages again."""

    def must_end(self, passage: Passage) -> bool:
        """Whether no passage of that trigger and that start may outlive this stop."""
        if passage.cadence is None or passage.trigger is None or passage.started is None:
            return False
        began = passage.trigger.appended_at
        if self.kind == "replied":
            return passage.cadence.cancels_on_reply and self.record.appended_at >= began + passage.cadence.reply_grace
        if self.kind == "contact_deleted":
            return self.record.appended_at >= began
        # A start's `at` is when its transaction began, which may have waited for the resume: only a start that was
        # published before the resume was surely decided before it.
        return self.ended_at is None or self.ended_at > passage.started.appended_at


class View:
    """What the rules look at."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.passages: dict[str, Passage] = {}
        self.repeated: list[tuple[Record, Record]] = []
        self.unknown: list[Record] = []
        """Outputs that no reader could make sense of."""
        self.inputs: dict[tuple[str, str], Record] = {}
        self.stops: dict[ContactKey, list[Stop]] = defaultdict(list)
        self.told: dict[ContactKey, list[Record]] = defaultdict(list)
        """What the CRM said of each contact."""
        self._take_inputs()
        self._take_outputs()

    def triggers(self) -> list[Record]:
        """Each event that may enroll, once."""
        wanted = {cadence.trigger for cadence in self.history.cadences}
        return [record for record in self.inputs.values() if record.type in wanted]

    def of(self, contact: ContactKey, cadence: Cadence) -> list[Passage]:
        """The contact's passages through a cadence."""
        return [p for p in self.passages.values() if p.events and p.contact == contact and p.cadence is cadence]

    def _take_inputs(self) -> None:
        for record in sorted(self.history.inputs, key=_order):
            self.inputs.setdefault(record.identity, record)
        resumes: dict[ContactKey, list[Record]] = defaultdict(list)
        for record in self.inputs.values():
            if record.type in ("contact.created", "contact.updated"):
                self.told[record.contact].append(record)
            if record.type == "contact.preferences.changed" and record.data["marketing"] == "resume":
                resumes[record.contact].append(record)
        for record in self.inputs.values():
            kind = _kind_of_stop(record)
            if kind == "opted_out":
                # Of one millisecond may be both: their order in the partition, which is the contact's, tells.
                later = [each.appended_at for each in resumes[record.contact] if _order(each) > _order(record)]
                self.stops[record.contact].append(Stop(kind, record, min(later, default=None)))
            elif kind:
                self.stops[record.contact].append(Stop(kind, record))

    def _take_outputs(self) -> None:
        first: dict[tuple[str, str], Record] = {}
        for record in self.history.outputs:
            before = first.setdefault(record.identity, record)
            if before is not record:
                self.repeated.append((before, record))
                continue
            if record.type not in TYPES[record.topic]:
                self.unknown.append(record)
            passage = self.passages.setdefault(record.data["enrollmentId"], Passage(record.data["enrollmentId"]))
            if record.topic == OUTBOUND:
                passage.sends.append(record)
            elif record.type == SKIPPED and record.data["reason"] == "erased":
                passage.erased.append(record)
            elif record.topic == EVENTS:
                passage.events.append(record)
        cadences = {(cadence.company, cadence.key): cadence for cadence in self.history.cadences}
        for passage in self.passages.values():
            data = (passage.events or passage.sends or passage.erased)[0].data
            passage.cadence = cadences.get((data["companyId"], data["cadenceKey"]))
            if passage.started is not None:
                cause = passage.started.data["cause"]
                passage.trigger = self.inputs.get((cause.get("source", ""), cause.get("id", "")))


def _order(record: Record) -> tuple[datetime, int]:
    return record.appended_at, record.offset


def _kind_of_stop(record: Record) -> str | None:
    if record.type == "message.received" and record.data.get("direction", "inbound") == "inbound":
        return "replied"
    if record.type == "contact.preferences.changed" and record.data["marketing"] == "stop":
        return "opted_out"
    if record.type == "contact.deleted":
        return "contact_deleted"
    return None


MILLISECOND = timedelta(milliseconds=1)
"""The broker cuts its times to whole milliseconds."""
