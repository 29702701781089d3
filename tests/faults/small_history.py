"""A tiny history, made by hand: one contact, one reply, two passages, all as it should be."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from tests.faults.oracle.definitions import Cadence
from tests.faults.oracle.history import EVENTS, OUTBOUND, History, OperatorCancel, Record
from tests.faults.plan import cadence

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
PHONE = "+5511999990000"
WELCOME = cadence("acme", "welcome", "contact.created", 1, 2)
UPSELL = cadence("acme", "upsell", "purchase.completed", 5, 5)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def wire(seconds: float | None) -> str | None:
    return None if seconds is None else at(seconds).isoformat()


@dataclass
class Story:
    """What happens, told in seconds since T0. Ana is created at 0 and completes; Bob buys at 0 and replies at 7."""

    cadences: list[Cadence] = field(default_factory=lambda: [WELCOME, UPSELL])
    inputs: list[Record] = field(default_factory=list)
    outputs: list[Record] = field(default_factory=list)
    cancels: list[OperatorCancel] = field(default_factory=list)
    settled_at: float = 60

    def hears(self, type_: str, seconds: float, contact: str, company: str = "acme", **data: Any) -> str:
        """An input, acknowledged 10 ms after its append; answers its id."""
        event_id = f"{type_}-{len(self.inputs)}"
        told = {"companyId": company, "contactId": contact, **data}
        self.inputs.append(
            Record(type_, 0, len(self.inputs), at(seconds), "/crm", event_id, type_, told, at(seconds + 0.01))
        )
        return event_id

    def tells(self, enrollment: str, type_: str, seconds: float, revision: int, **data: Any) -> None:
        """An event of an enrollment such as `ana/welcome`, published 20 ms after it was decided."""
        data = {"revision": revision, "at": wire(seconds), "cause": {"actor": "schedule"}, **data}
        self._publish(EVENTS, enrollment, type_, seconds, data)

    def runs(self, enrollment: str, step: int, seconds: float, *, due: float, then: float | None) -> None:
        """A step: its send and its execution, as revision `step + 2`."""
        send_id = f"{enrollment}-send-{step}"
        shared = {"stepKey": f"step-{step + 1}", "stepIndex": step, "sendId": send_id, "dueAt": wire(due)}
        template = {
            "id": f"{enrollment.partition('/')[2]}_{step + 1}",
            "language": "pt_BR",
            "category": "marketing",
            "variables": {"contactName": enrollment.partition("/")[0].title()},
        }
        times = {"requestedAt": wire(seconds), "expiresAt": wire(seconds + 3600)}
        send = {**shared, **times, "to": PHONE, "template": template}
        self._publish(OUTBOUND, enrollment, "whatsapp.send.requested", seconds, send, send_id)
        self.tells(enrollment, "cadence.step.executed", seconds, step + 2, **shared, nextRunAt=wire(then))

    def change(self, which: Callable[[Record], bool], **data: Any) -> None:
        """Let the outputs say something else."""
        self.outputs = [replace(each, data={**each.data, **data}) if which(each) else each for each in self.outputs]

    def drop(self, which: Callable[[Record], bool]) -> None:
        self.outputs = [each for each in self.outputs if not which(each)]

    def history(self) -> History:
        return History(self.cadences, self.inputs, self.outputs, at(self.settled_at), cancels=self.cancels)

    def _publish(
        self, topic: str, enrollment: str, type_: str, seconds: float, data: dict[str, Any], event_id: str = ""
    ) -> None:
        contact, _, key = enrollment.partition("/")
        about = {
            "companyId": "acme",
            "contactId": contact,
            "enrollmentId": enrollment,
            "cadenceId": str(uuid5(NAMESPACE_URL, key)),
            "cadenceKey": key,
            "version": 1,
        }
        offset = len(self.outputs)
        event_id = event_id or f"{enrollment}-{data['revision']}-{type_}"
        self.outputs.append(
            Record(topic, 0, offset, at(seconds + 0.02), "/cadence-engine", event_id, type_, {**about, **data})
        )


def kept() -> Story:
    """All promises kept."""
    story = Story()
    created = story.hears("contact.created", 0, "ana", phone=PHONE, name="Ana", timeZone="America/New_York")
    story.hears("contact.updated", -9, "bob", phone=PHONE, name="Bob")
    bought = story.hears("purchase.completed", 0, "bob")
    reply = story.hears("message.received", 7, "bob")
    starts("ana/welcome", story, created, 0.1, due=1.1, trigger="contact.created")
    starts("bob/upsell", story, bought, 0.1, due=5.1, trigger="purchase.completed")
    story.runs("ana/welcome", 0, 1.2, due=1.1, then=3.2)
    story.runs("ana/welcome", 1, 3.3, due=3.2, then=None)
    story.tells("ana/welcome", "cadence.enrollment.completed", 3.3, 4)
    story.runs("bob/upsell", 0, 5.2, due=5.1, then=10.2)
    cause = {"source": "/crm", "id": reply}
    story.tells("bob/upsell", "cadence.enrollment.cancelled", 7.1, 3, reason="replied", cause=cause)
    return story


def starts(enrollment: str, story: Story, cause: str, seconds: float, *, due: float, trigger: str) -> None:
    told = {"trigger": trigger, "nextRunAt": wire(due), "cause": {"source": "/crm", "id": cause}}
    story.tells(enrollment, "cadence.enrollment.started", seconds, 1, **told)
