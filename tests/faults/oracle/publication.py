"""How the events of an enrollment stand on their topics: once, in order, telling one story."""

from collections.abc import Iterator

from tests.faults.oracle.history import Record
from tests.faults.oracle.view import CANCELLED, COMPLETED, ENDS, STARTED, Passage, View
from tests.faults.oracle.violations import Promise, Violation

SHARED = (
    "companyId",
    "contactId",
    "enrollmentId",
    "cadenceId",
    "cadenceKey",
    "version",
    "stepKey",
    "stepIndex",
    "dueAt",
)


def published_once(view: View) -> Iterator[Violation]:
    for before, again in view.repeated:
        what = f"{again.type} {again.id} was published again"
        yield Violation(Promise.PUBLISHED_ONCE, what, again.contact, again.data["enrollmentId"], (before, again))


def revisions(view: View) -> Iterator[Violation]:
    for passage in view.passages.values():
        for expected, event in enumerate(passage.events, start=1):
            if event.data["revision"] != expected:
                what = f"{event.type} has revision {event.data['revision']} where {expected} was to come"
                yield _of(passage, Promise.REVISIONS, what, event)
                break


def consistent(view: View) -> Iterator[Violation]:
    for passage in view.passages.values():
        yield from _life(passage)
        yield from _sends(view, passage)


def steps_in_order(view: View) -> Iterator[Violation]:
    for passage in view.passages.values():
        for kind in (passage.executed, passage.sends):
            told = [record.data["stepIndex"] for record in kind]
            if told != list(range(len(told))):
                yield _of(passage, Promise.STEPS_IN_ORDER, f"the steps {told} ran in this order", *kind)
        if passage.cadence is None:
            continue
        steps = passage.cadence.steps
        for record in passage.executed:
            index = record.data["stepIndex"]
            if index >= len(steps) or record.data["stepKey"] != steps[index].key:
                yield _of(passage, Promise.STEPS_IN_ORDER, f"the cadence has no {record.data['stepKey']} there", record)


def _life(passage: Passage) -> Iterator[Violation]:
    types = [event.type for event in passage.events]
    if types[:1] != [STARTED] or types.count(STARTED) != 1:
        yield _of(
            passage, Promise.CONSISTENT, "it does not begin with its one start", *(passage.events or passage.sends)[:2]
        )
    for place, event in enumerate(passage.events):
        if event.type in ENDS and place != len(types) - 1:
            after = passage.events[place + 1]
            yield _of(passage, Promise.CONSISTENT, f"{after.type} stands behind {event.type}", event, after)
    if passage.cadence and COMPLETED in types and len(passage.executed) != len(passage.cadence.steps):
        what = f"it completed after {len(passage.executed)} of {len(passage.cadence.steps)} steps"
        yield _of(passage, Promise.CONSISTENT, what, *passage.events[-1:])
    if passage.cadence and CANCELLED in types and len(passage.executed) == len(passage.cadence.steps):
        yield _of(passage, Promise.CONSISTENT, "it was cancelled after its last step", *passage.events[-1:])


def _sends(view: View, passage: Passage) -> Iterator[Violation]:
    executed = {event.data["sendId"]: event for event in passage.executed}
    sends = {send.data["sendId"]: send for send in passage.sends}
    for send_id, send in sends.items():
        event = executed.get(send_id)
        if send.id != send_id:
            yield _of(passage, Promise.CONSISTENT, f"the send {send_id} is published under another id", send)
        if event is None:
            yield _of(passage, Promise.CONSISTENT, f"step {send.data['stepIndex']} was sent, not executed", send)
        elif wrong := _differences(send, event):
            yield _of(passage, Promise.CONSISTENT, f"send and execution differ in {', '.join(wrong)}", send, event)
    deleted = any(stop.kind == "contact_deleted" for stop in view.stops[passage.contact])
    erased = {(record.id, record.data["stepIndex"], record.data["revision"]) for record in passage.erased if deleted}
    for record in passage.erased:
        if not deleted:
            yield _of(passage, Promise.CONSISTENT, "its send was erased, though nobody deleted the contact", record)
    for send_id, event in executed.items():
        if send_id not in sends and (send_id, event.data["stepIndex"], event.data["revision"]) not in erased:
            yield _of(passage, Promise.CONSISTENT, f"step {event.data['stepIndex']} was executed, not sent", event)


def _differences(send: Record, event: Record) -> list[str]:
    wrong = [name for name in SHARED if send.data[name] != event.data[name]]
    return wrong + (["at"] if send.data["requestedAt"] != event.data["at"] else [])


def _of(passage: Passage, promise: Promise, what: str, *records: Record) -> Violation:
    return Violation(promise, what, passage.contact, passage.enrollment_id, records)
