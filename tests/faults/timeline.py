"""What happened to one contact, line by line, so that a violation can be understood."""

from collections.abc import Iterator

from tests.faults.oracle.history import ContactKey, History, Record
from tests.faults.oracle.violations import Violation

TOLD = ("revision", "stepIndex", "at", "dueAt", "nextRunAt", "reason", "marketing", "direction", "product", "timeZone")


def timeline(history: History, contact: ContactKey) -> Iterator[str]:
    """Its records in the order in which the broker appended them."""
    records = [record for record in (*history.inputs, *history.outputs) if record.contact == contact]
    for record in sorted(records, key=lambda each: (each.appended_at, each.partition, each.offset)):
        yield _line(record)


def explain(history: History, violations: list[Violation], contacts_at_most: int = 5) -> str:
    """Each violation as a sentence, and what happened to the first contacts that they name."""
    lines = [str(violation) for violation in violations]
    for contact in list(dict.fromkeys(violation.contact for violation in violations))[:contacts_at_most]:
        lines += ["", "/".join(contact), *(f"  {line}" for line in timeline(history, contact))]
    return "\n".join(lines)


def _line(record: Record) -> str:
    told = " ".join(f"{name}={record.data[name]}" for name in TOLD if record.data.get(name) is not None)
    enrollment = str(record.data.get("enrollmentId", record.id))[-12:]
    return f"{record.appended_at:%H:%M:%S.%f} {record.where} {enrollment} {record.type} {told}"
