"""What must have come out by the end, and has not."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

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
    applied = _Applied(view)
    for cadence in view.history.cadences:
        others: dict[tuple[str, str], list[Passage]] = {}
        for passage in view.passages.values():
            if passage.cadence is cadence and passage.events:
                others.setdefault(passage.contact, []).append(passage)
        for trigger in view.triggers():
            if not cadence.is_triggered_by(trigger.type, trigger.data) or (trigger.identity, cadence.key) in started:
                continue
            before = [other for other in others.get(trigger.contact, []) if not _began_behind(other, trigger)]
            if not _is_excused(view, cadence, trigger, before, applied.by(trigger)):
                what = f"{trigger.type} {trigger.id} never started {cadence.key}"
                yield Violation(Promise.NOTHING_MISSING, what, trigger.contact, None, (trigger,))


class _Applied:
    """When a trigger was surely applied: as soon as the start by one behind it in its partition was published."""

    def __init__(self, view: View) -> None:
        self._told: dict[tuple[str, int], list[tuple[int, datetime]]] = defaultdict(list)
        for passage in view.passages.values():
            trigger, start = passage.trigger, passage.started
            if trigger is not None and start is not None:
                self._told[trigger.topic, trigger.partition].append((trigger.offset, start.appended_at))

    def by(self, trigger: Record) -> datetime | None:
        told = self._told[trigger.topic, trigger.partition]
        return min((at for offset, at in told if offset > trigger.offset), default=None)


def _began_behind(passage: Passage, trigger: Record) -> bool:
    """Whether what started the passage stands behind the trigger in its partition, and so was applied after it."""
    other = passage.trigger
    return other is not None and (
        (other.topic, other.partition) == (trigger.topic, trigger.partition) and other.offset > trigger.offset
    )


def _is_excused(
    view: View, cadence: Cadence, trigger: Record, others: list[Passage], applied_by: datetime | None
) -> bool:
    if others and cadence.reentry == "never":
        return True
    # An end's `at` is when its transaction began; until it was published, the passage may have been live.
    if any(other.end is None or other.end.appended_at >= trigger.appended_at for other in others):
        return True
    for stop in view.stops[trigger.contact]:
        at = stop.record.appended_at
        if applied_by is not None and at > applied_by:
            continue  # the order in which different topics are applied is open only until then
        if stop.kind != "replied":
            return True
        if cadence.cancels_on_reply and at >= trigger.appended_at + cadence.reply_grace:
            return True
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
