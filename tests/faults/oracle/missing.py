"""What must have come out by the end, and has not."""

from collections.abc import Iterator

from tests.faults.oracle.definitions import Cadence
from tests.faults.oracle.history import Record
from tests.faults.oracle.view import PARKED, Passage, View
from tests.faults.oracle.violations import Promise, Violation


def missing(view: View) -> Iterator[Violation]:
    """Also how a run tells that it is not over yet."""
    yield from _starts(view)
    for passage in view.passages.values():
        if passage.events and passage.end is None:
            yield from _standstill(view, passage)
    yield from _cancels(view)


def _starts(view: View) -> Iterator[Violation]:
    """Each event that triggers a cadence starts it, but for what may rightly keep it from that."""
    started = {(p.trigger.identity, p.cadence.key) for p in view.passages.values() if p.trigger and p.cadence}
    for cadence in view.history.cadences:
        others: dict[tuple[str, str], list[Passage]] = {}
        for passage in view.passages.values():
            if passage.cadence is cadence and passage.events:
                others.setdefault(passage.contact, []).append(passage)
        for trigger in view.triggers():
            if not cadence.is_triggered_by(trigger.type, trigger.data) or (trigger.identity, cadence.key) in started:
                continue
            if not _is_excused(view, cadence, trigger, others.get(trigger.contact, [])):
                what = f"{trigger.type} {trigger.id} never started {cadence.key}"
                yield Violation(Promise.NOTHING_MISSING, what, trigger.contact, None, (trigger,))


def _is_excused(view: View, cadence: Cadence, trigger: Record, others: list[Passage]) -> bool:
    if others and cadence.reentry == "never":
        return True
    if any(other.end is None or other.end.instant("at") >= trigger.appended_at for other in others):
        return True  # it may have been live when the trigger was applied
    for stop in view.stops[trigger.contact]:
        if stop.kind == "replied":
            if cadence.cancels_on_reply and stop.record.appended_at >= trigger.appended_at + cadence.reply_grace:
                return True
        else:
            return True  # the order in which different topics are applied is open
    return False


def _standstill(view: View, passage: Passage) -> Iterator[Violation]:
    last = passage.events[-1]
    for stop in view.stops[passage.contact]:
        if stop.must_end(passage):
            what = f"it still lives, though it was {stop.kind}"
            yield _of(passage, what, stop.record, last)
            return
    if last.type == PARKED:
        if last.data["reason"] != "unreachable" or _has_phone(view, passage):
            yield _of(passage, f"it is parked for good ({last.data['reason']}: {last.data['detail']})", last)
    elif passage.next_due is None:
        yield _of(passage, "its steps ran, and it did not complete", last)
    elif passage.next_due <= view.history.settled_at:
        yield _of(passage, f"the step due {passage.next_due} never ran", last)


def _has_phone(view: View, passage: Passage) -> bool:
    """Whether a phone was told that no deletion has taken back."""
    deleted = [stop.record.appended_at for stop in view.stops[passage.contact] if stop.kind == "contact_deleted"]
    told = [record.appended_at for record in view.told[passage.contact] if record.data.get("phone")]
    return bool(told) and (not deleted or max(told) > max(deleted))


def _cancels(view: View) -> Iterator[Violation]:
    for cancel in view.history.cancels:
        passage = view.passages.get(cancel.enrollment_id)
        if cancel.confirmed_at and passage is not None and passage.events and passage.end is None:
            yield _of(passage, "its confirmed cancel was never published", passage.events[-1])


def _of(passage: Passage, what: str, *records: Record) -> Violation:
    return Violation(Promise.NOTHING_MISSING, what, passage.contact, passage.enrollment_id, records)
