"""When steps were due and ran, and what must have kept them from it."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from tests.faults.oracle.history import Record
from tests.faults.oracle.view import EXECUTED, MILLISECOND, STARTED, Passage, View
from tests.faults.oracle.violations import Promise, Violation

DEFAULT_ZONE = "UTC"


def none_early(view: View) -> Iterator[Violation]:
    for passage in view.passages.values():
        for event in passage.executed:
            if event.instant("at") < event.instant("dueAt"):
                yield _of(passage, Promise.NONE_EARLY, f"decided {event.data['at']}, due {event.data['dueAt']}", event)
        for send in passage.sends:
            if send.appended_at + MILLISECOND <= send.instant("dueAt"):
                yield _of(passage, Promise.NONE_EARLY, f"published before {send.data['dueAt']}, when it is due", send)


def due_times(view: View) -> Iterator[Violation]:
    for passage in view.passages.values():
        if passage.cadence is None:
            continue
        promised: datetime | None = None
        for event in passage.events:
            if event.type == EXECUTED and event.time("dueAt") != promised:
                what = f"step {event.data['stepIndex']} is due {event.data['dueAt']}, it was announced for {promised}"
                yield _of(passage, Promise.DUE_TIMES, what, event)
            if event.type in (STARTED, EXECUTED):
                promised = event.time("nextRunAt")
                allowed = _allowed(view, passage, event)
                if promised not in allowed:
                    wanted = " or ".join(str(each) for each in sorted(allowed, key=str))
                    yield _of(passage, Promise.DUE_TIMES, f"the next step is due {promised}, not {wanted}", event)


def none_after_a_stop(view: View) -> Iterator[Violation]:
    for passage in view.passages.values():
        if not passage.events:
            continue
        for stop in view.stops[passage.contact]:
            acknowledged = stop.record.acknowledged_at
            if acknowledged is None or not stop.must_end(passage):
                continue
            for event in passage.executed:
                due, decided = event.instant("dueAt"), event.instant("at")
                if due >= acknowledged:
                    what = f"step {event.data['stepIndex']} was due {_ago(due - acknowledged)} after it ({stop.kind})"
                    yield _of(passage, Promise.NONE_AFTER_A_STOP, what, stop.record, event)
                if decided > acknowledged + view.history.max_lag:
                    late = _ago(decided - acknowledged)
                    what = f"step {event.data['stepIndex']} was decided {late} after it ({stop.kind})"
                    yield _of(passage, Promise.NONE_BEYOND_MAX_LAG, what, stop.record, event)


def none_after_a_cancel(view: View) -> Iterator[Violation]:
    for cancel in view.history.cancels:
        passage = view.passages.get(cancel.enrollment_id)
        if passage is None or not passage.events or cancel.confirmed_at is None:
            continue
        for event in passage.executed:
            late = event.instant("at") - cancel.confirmed_at
            if late > timedelta():
                what = f"step {event.data['stepIndex']} was decided {_ago(late)} after it"
                yield _of(passage, Promise.NONE_AFTER_A_CANCEL, what, event)


def _allowed(view: View, passage: Passage, event: Record) -> set[datetime | None]:
    """When the next step may be due: more than one instant only where it is open which zone was known."""
    assert passage.cadence is not None
    following = event.data["stepIndex"] + 1 if event.type == EXECUTED else 0
    if following >= len(passage.cadence.steps):
        return {None}
    step = passage.cadence.steps[following]
    return {step.due(event.instant("at"), zone) for zone in _zones(view, passage)}


def _zones(view: View, passage: Passage) -> set[str]:
    zones = {told.data["timeZone"] for told in view.told[passage.contact] if "timeZone" in told.data}
    trigger = passage.trigger
    surely_told = trigger is not None and "timeZone" in trigger.data
    # A purchase may be applied before the record that tells the zone, and a deletion forgets it.
    if not surely_told or any(stop.kind == "contact_deleted" for stop in view.stops[passage.contact]):
        zones.add(DEFAULT_ZONE)
    return zones


def _ago(span: timedelta) -> str:
    return f"{span.total_seconds():.3f} s"


def _of(passage: Passage, promise: Promise, what: str, *records: Record) -> Violation:
    return Violation(promise, what, passage.contact, passage.enrollment_id, records)
