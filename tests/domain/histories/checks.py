"""What must be true after everything that happens."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from cadence_contracts.outbound import MODELS
from cadence_engine.domain.cadence import Wait
from cadence_engine.domain.decision import Decision
from cadence_engine.domain.events import (
    HASTENED,
    SEND_REQUESTED,
    STARTED,
    STEP_EXECUTED,
    STEP_SKIPPED,
    UNPUBLISHED,
    Event,
)
from tests.domain.histories.book import MAX_LAG, Book
from tests.domain.histories.drawn import Record
from tests.domain.histories.passage import Passage
from tests.domain.histories.rows import Rows

ENDS = ("cadence.enrollment.completed", "cadence.enrollment.cancelled")
DST = timedelta(hours=1)


class LogReader:
    """Reads the growing log, and checks each enrollment that it tells of."""

    def __init__(self) -> None:
        self._read = 0
        self._ids: set[UUID] = set()
        self._told: dict[UUID, list[Event]] = defaultdict(list)

    def read(self, log: list[Event], book: Book) -> None:
        """Every event is in the contract's form, and every enrollment's events are the foretold ones."""
        fresh, self._read = log[self._read :], len(log)
        for event in fresh:
            assert event.enrollment_id
            assert event.event_id not in self._ids
            assert event.event_id == uuid5(event.enrollment_id, f"{event.revision}:{event.type}")
            if event.type not in UNPUBLISHED:
                MODELS[event.type].model_validate(event.data, by_alias=True, by_name=False)
            self._ids.add(event.event_id)
            self._told[event.enrollment_id].append(event)
        for enrollment_id in {event.enrollment_id for event in fresh if event.enrollment_id}:
            told, passage = self._told[enrollment_id], book.passages[enrollment_id]
            assert [(event.type, _comparable(event)) for event in told] == passage.told
            _keeps_its_order(told, passage)
        assert len(log) == sum(len(passage.told) for passage in book.passages.values()), "something was not told"


def gate_was_open(decisions: Iterable[Decision], now: datetime, unapplied: Collection[Record]) -> None:
    """No send is decided for a due time at or after a record that may stop it, nor long after such a record."""
    sends = [event for decision in decisions for event in decision.events if event.type == SEND_REQUESTED]
    for send in sends:
        for record in unapplied:
            assert datetime.fromisoformat(send.data["dueAt"]) < record.at, f"sent in spite of {record}"
            assert now - record.at <= MAX_LAG, f"sent long after {record}"


def enrollments(engine: Rows, book: Book) -> None:
    """Every row stands as foretold, and nobody is twice in one cadence at a time."""
    assert engine.enrollments.keys() == book.passages.keys()
    for row in engine.enrollments.values():
        passage = book.passages[row.enrollment_id]
        assert (row.status, row.revision, row.step_index) == (passage.status, passage.revision, passage.position)
        assert (row.next_run_at, row.wait_left, row.ended_at) == (passage.due, passage.left, passage.ended_at)
        assert (row.paused_by, row.held_due_at, row.resume_at) == (
            passage.paused_by,
            passage.held_due,
            passage.resume_at,
        )
        assert (row.version, row.triggered_at, row.started_at) == (
            passage.version,
            passage.triggered_at,
            passage.started_at,
        )
        assert row.park_reason == passage.obstacle
        assert bool(row.park_detail) is bool(row.parked_knowing) is (row.status == "parked")
        assert (row.paused_by is not None) is (row.status == "paused")
        assert (row.cancel_reason is not None) is (row.status == "cancelled")
    live = [(row.contact_id, row.cadence_id) for row in engine.enrollments.values() if row.live]
    assert len(live) == len(set(live))


def contacts(engine: Rows, book: Book) -> None:
    """Of each contact is known what its records say, and nothing that is not newer than its deletion."""
    for contact_id, contact in engine.contacts.items():
        person = book.people[contact_id]
        known = (contact.name.value, contact.phone.value, contact.time_zone.value, contact.opted_out.value)
        assert known == (person.field("name"), person.field("phone"), person.field("time_zone"), person.opted_out)
        assert (contact.last_message_at, contact.last_inbound_at) == (person.last_message_at, person.last_inbound_at)
        assert (contact.last_conversation.value, contact.erased) == (person.conversation, person.erased)
        assert contact.erased_at == person.deleted_at
        assert not any(secret in repr(contact) for secret in person.forgotten)


def tags(engine: Rows, book: Book) -> None:
    """Who completed a cadence has its tags, and nobody else."""
    for contact_id in book.people:
        completed = [p for p in book.passages.values() if p.contact == contact_id and p.status == "completed"]
        earned = {tag for passage in completed for tag in passage.plan.completion_tags}
        assert engine.tags.get(contact_id, set()) == earned


def _comparable(event: Event) -> dict[str, object]:
    data = dict(event.data)
    if event.type == "cadence.enrollment.parked":
        assert data.pop("detail")
    return data


def _keeps_its_order(told: list[Event], passage: Passage) -> None:
    """What can be said of any enrollment's events without knowing what happened to it."""
    revisions = [event.revision for event in told]
    assert list(dict.fromkeys(revisions)) == list(range(1, len(set(revisions)) + 1))
    assert told[0].type == STARTED
    assert not any(event.type in ENDS for event in told[:-1])
    steps = passage.plan.steps
    sent = [event.data["stepKey"] for event in told if event.type == SEND_REQUESTED]
    assert sent == [event.data["stepKey"] for event in told if event.type == STEP_EXECUTED]
    passed = [event.data["stepKey"] for event in told if event.type in (STEP_EXECUTED, STEP_SKIPPED)]
    assert passed == [step.key for step in steps[: len(passed)]]
    assert told[-1].type != ENDS[0] or len(passed) == len(steps)
    assert {event.data["version"] for event in told} == {passage.version}
    _waits_as_long_as_its_steps_say(told, passage)


def _waits_as_long_as_its_steps_say(told: list[Event], passage: Passage) -> None:
    """However it was held; what an operator hastened, or that is behind a skipped step, waits by other rules."""
    waits = {step.key: step.wait for step in passage.plan.steps}
    since: datetime | None = datetime.fromisoformat(told[0].data["at"])
    for event in told:
        if event.type in (STEP_SKIPPED, HASTENED):
            since = None
        elif event.type == SEND_REQUESTED:
            due = datetime.fromisoformat(event.data["dueAt"])
            assert since is None or due - since >= _at_least(waits[event.data["stepKey"]])
            since = datetime.fromisoformat(event.data["requestedAt"])
            assert due <= since


def _at_least(wait: Wait) -> timedelta:
    return wait.exact + (timedelta(days=wait.days) - DST if wait.days else timedelta())
