"""Every passage has its trigger and every cancellation its reason; each belongs to the company that it came from."""

from collections import defaultdict
from collections.abc import Iterator

from tests.faults.oracle.history import Record
from tests.faults.oracle.view import CANCELLED, Passage, View
from tests.faults.oracle.violations import Promise, Violation


def own_company(view: View) -> Iterator[Violation]:
    owners: dict[str, str] = {}
    for passage in view.passages.values():
        for record in (*passage.events, *passage.sends):
            owner = owners.setdefault(record.data["cadenceId"], record.data["companyId"])
            if record.contact != passage.contact or owner != record.data["companyId"]:
                yield _of(passage, Promise.OWN_COMPANY, f"{record.type} is of {'/'.join(record.contact)}", record)
        phones = {told.data["phone"] for told in view.told[passage.contact] if "phone" in told.data}
        for send in passage.sends:
            if send.data["to"] is not None and send.data["to"] not in phones:
                yield _of(passage, Promise.OWN_COMPANY, "a send goes to a phone that its company never told", send)
        trigger = passage.trigger
        if trigger is not None and trigger.contact != passage.contact:
            what = f"it was started by an event of {'/'.join(trigger.contact)}"
            yield _of(passage, Promise.OWN_COMPANY, what, trigger, *passage.events[:1])


def asked_for(view: View) -> Iterator[Violation]:
    by_cause: dict[tuple[object, ...], list[Passage]] = defaultdict(list)
    for passage in view.passages.values():
        yield from _start(view, passage, by_cause)
        yield from _cancellation(view, passage)
    for passages in by_cause.values():
        for again in passages[1:]:
            yield _of(
                again, Promise.ASKED_FOR, f"{passages[0].enrollment_id} began by the same event", *again.events[:1]
            )
    yield from _side_by_side(view)


def _start(view: View, passage: Passage, by_cause: dict[tuple[object, ...], list[Passage]]) -> Iterator[Violation]:
    started, trigger, cadence = passage.started, passage.trigger, passage.cadence
    if started is None:
        return
    if cadence is None:
        yield _of(passage, Promise.ASKED_FOR, f"its company has no cadence {started.data['cadenceKey']}", started)
    elif trigger is None or not cadence.is_triggered_by(trigger.type, trigger.data):
        yield _of(passage, Promise.ASKED_FOR, "what it names as its cause does not start this cadence", started)
    else:
        by_cause[trigger.identity, cadence.company, cadence.key].append(passage)
        if started.instant("at") < trigger.appended_at:
            yield _of(passage, Promise.ASKED_FOR, "it started before its trigger was there", trigger, started)


def _cancellation(view: View, passage: Passage) -> Iterator[Violation]:
    for event in passage.events:
        if event.type != CANCELLED:
            continue
        reason, cause = event.data["reason"], event.data["cause"]
        if reason == "operator":
            if passage.enrollment_id not in {cancel.enrollment_id for cancel in view.history.cancels}:
                yield _of(passage, Promise.ASKED_FOR, "no operator cancelled it", event)
            continue
        identity = (cause.get("source"), cause.get("id"))
        stops = [s for s in view.stops[passage.contact] if s.kind == reason and s.record.identity == identity]
        if not stops:
            yield _of(passage, Promise.ASKED_FOR, f"nothing that the contact did is a reason for {reason}", event)
        elif reason == "replied" and not stops[0].must_end(passage):
            yield _of(passage, Promise.ASKED_FOR, "what ended it is no reply to it", stops[0].record, event)


def _side_by_side(view: View) -> Iterator[Violation]:
    """Two live passages at once of a contact in a cadence. Both are in one partition, so its order tells."""
    live: dict[tuple[str, str, str], Passage] = {}
    events = [(event, passage) for passage in view.passages.values() for event in passage.events]
    for event, passage in sorted(events, key=lambda each: (each[0].partition, each[0].offset)):
        key = (*passage.contact, event.data["cadenceKey"])
        if event is passage.started:
            other = live.setdefault(key, passage)
            if other is not passage:
                what = f"{other.enrollment_id} of the same cadence was still live"
                yield _of(passage, Promise.ASKED_FOR, what, event)
        elif event is passage.end and live.get(key) is passage:
            del live[key]


def _of(passage: Passage, promise: Promise, what: str, *records: Record) -> Violation:
    return Violation(promise, what, passage.contact, passage.enrollment_id, records)
