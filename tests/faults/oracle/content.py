"""What a record says: that it is known, whose it is, when it was decided, and what goes to the contact."""

from collections.abc import Iterator

from tests.faults.oracle.history import ContactKey, Record
from tests.faults.oracle.view import CANCELLED, MILLISECOND, Passage, View
from tests.faults.oracle.violations import Promise, Violation

IDENTITY = ("companyId", "contactId", "cadenceId", "cadenceKey", "version")


def told_as_agreed(view: View) -> Iterator[Violation]:
    for record in view.unknown:
        enrollment = record.data.get("enrollmentId")
        what = f"nobody knows {record.type} on {record.topic}"
        yield Violation(Promise.CONSISTENT, what, record.contact, enrollment, (record,))
    yield from _places(view)
    for passage in view.passages.values():
        yield from _identity(passage)
        yield from _decided(passage)
        yield from _reasons(view, passage)


def sent_as_agreed(view: View) -> Iterator[Violation]:
    for passage in view.passages.values():
        for send in passage.sends:
            if send.data["to"] is None and send.data.get("conversationId") is None:
                yield _of(passage, Promise.CONTENT, "a send has neither a phone nor a conversation", send)
            if passage.cadence is None or send.data["stepIndex"] >= len(passage.cadence.steps):
                continue
            if send.instant("expiresAt") - send.instant("requestedAt") != passage.cadence.send_within:
                yield _of(passage, Promise.CONTENT, f"a send expires {send.data['expiresAt']}", send)
            template = dict(send.data["template"])
            variables = template.pop("variables")
            step = passage.cadence.steps[send.data["stepIndex"]]
            agreed = {"id": step.template, "language": passage.cadence.language, "category": "marketing"}
            if template != agreed:
                yield _of(passage, Promise.CONTENT, f"a send's template is {template}, not {agreed}", send)
            if variables not in [{"contactName": name} for name in _names(view, passage)]:
                yield _of(passage, Promise.CONTENT, "a send's variables are none that its company told", send)


def _names(view: View, passage: Passage) -> set[str]:
    """More than one only where it is open what was known."""
    assert passage.cadence is not None
    names = {told.data["name"] for told in view.told[passage.contact] if told.data.get("name")}
    surely_told = passage.trigger is not None and passage.trigger.data.get("name")
    if not surely_told or any(stop.kind == "contact_deleted" for stop in view.stops[passage.contact]):
        names.add(passage.cadence.nameless)
    return names


def _places(view: View) -> Iterator[Violation]:
    """Only within one partition is there an order for whoever reads."""
    first: dict[tuple[ContactKey, str], Record] = {}
    for passage in view.passages.values():
        for record in (*passage.events, *passage.sends, *passage.erased):
            other = first.setdefault((record.contact, record.topic), record)
            if other.partition != record.partition:
                yield _of(passage, Promise.CONSISTENT, "its contact stands in two partitions", other, record)
                return


def _identity(passage: Passage) -> Iterator[Violation]:
    records = [*passage.events, *passage.sends, *passage.erased]
    for record in records[1:]:
        wrong = [name for name in IDENTITY if record.data[name] != records[0].data[name]]
        if wrong:
            yield _of(passage, Promise.CONSISTENT, f"it changes its {', '.join(wrong)}", records[0], record)


def _decided(passage: Passage) -> Iterator[Violation]:
    """Of events of one passage `at` need not rise: it is when their transaction began, which may have waited."""
    for event in passage.events:
        if event.instant("at") - event.appended_at > MILLISECOND:
            yield _of(passage, Promise.CONSISTENT, f"{event.type} was published before it was decided", event)


def _reasons(view: View, passage: Passage) -> Iterator[Violation]:
    started, trigger = passage.started, passage.trigger
    if started is not None and trigger is not None and started.data["trigger"] != trigger.type:
        yield _of(passage, Promise.ASKED_FOR, f"it says that {started.data['trigger']} started it", trigger, started)
    for event in passage.events:
        if event.type != CANCELLED or event.data["reason"] != "replied":
            continue
        reply = view.inputs.get((event.data["cause"].get("source", ""), event.data["cause"].get("id", "")))
        if reply is not None and event.data.get("messageId") != reply.data.get("messageId"):
            yield _of(passage, Promise.ASKED_FOR, "it names another message than the reply that ended it", reply, event)


def _of(passage: Passage, promise: Promise, what: str, *records: Record) -> Violation:
    return Violation(promise, what, passage.contact, passage.enrollment_id, records)
