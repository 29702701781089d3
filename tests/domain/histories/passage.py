"""What the promises say of one enrollment: a small model that foretells each event and the state after it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from cadence_engine.domain.cadence import Definition, Literally, Source, Step
from tests.domain.histories.local_time import end_of
from tests.domain.histories.person import Person

COMPANY = "acme"
DEFAULT_LANGUAGE = "en_US"
LIVE = ("active", "paused", "parked")
SCHEDULE = {"actor": "schedule"}
OPERATOR = {"actor": "olga"}

Told = tuple[str, dict[str, Any]]
"""An event's type and its data as on the wire."""


def wire(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


@dataclass
class Passage:
    """One contact's way through the version that was current when it began. `told` are its events, in order."""

    id: UUID
    cadence_id: UUID
    plan: Definition
    version: int
    contact: str
    trigger: str
    triggered_at: datetime
    started_at: datetime
    conversation: str | None
    product: str | None
    status: str = "active"
    position: int = 0
    revision: int = 0
    due: datetime | None = None
    left: timedelta | None = None
    held_due: datetime | None = None
    paused_by: str | None = None
    resume_at: datetime | None = None
    obstacle: str | None = None
    ended_at: datetime | None = None
    told: list[Told] = field(default_factory=list)

    @property
    def live(self) -> bool:
        return self.status in LIVE

    def start(self, zone: str, cause: dict[str, Any]) -> None:
        self.due = end_of(self.started_at, self.plan.steps[0].wait, zone)
        more = {"trigger": self.trigger, "leadId": None, "conversationId": self.conversation}
        self._change(self.started_at, cause, "started", **more, nextRunAt=wire(self.due))

    def is_reply(self, at: datetime) -> bool:
        return self.plan.cancel_on_reply and at - self.triggered_at >= self.plan.reply_grace

    def cancel(self, reason: str, cause: dict[str, Any], now: datetime, **more: str | None) -> None:
        self._free()
        self.status, self.ended_at, self.due = "cancelled", now, None
        texts = {"actor": cause.get("actor"), "messageId": None, "note": None, **more}
        self._change(now, cause, "cancelled", stepIndex=self.position, reason=reason, **texts)

    def pause(
        self,
        held_at: datetime,
        now: datetime,
        cause: dict[str, Any],
        *,
        holder: str = "cadence",
        reason: str = "because",
        until: datetime | None = None,
    ) -> None:
        """Held by `holder` from now on; one that is paused already keeps what it has of its wait."""
        due, left = self.held_due, self.left
        if self.due is not None:
            due, left = self.due, max(self.due - held_at, timedelta())
        self._free()
        self.status, self.due, self.held_due, self.left = "paused", None, due, left
        self.paused_by, self.resume_at = holder, until
        more = {"reason": reason, "actor": cause["actor"], "nextRunAt": None}
        self._change(now, cause, "paused", **more, resumeAt=until and wire(until))

    def resume(self, now: datetime, cause: dict[str, Any], due: datetime, reason: str = "because") -> None:
        self._free()
        self.status, self.due = "active", due
        self._change(now, cause, "resumed", reason=reason, actor=cause["actor"], nextRunAt=wire(due))

    def look_again(self, person: Person, now: datetime, cause: dict[str, Any]) -> None:
        """A parked one goes on where nothing hinders it, and says so where it is something else that does."""
        assert self.due is not None
        before, self.obstacle = self.obstacle, self.hindered(person)
        if self.obstacle is None:
            self.status = "active"
            self._change(now, cause, "resumed", reason="unparked", actor=cause["actor"], nextRunAt=wire(self.due))
        elif self.obstacle != before:
            self._change(now, SCHEDULE, "parked", stepIndex=self.position, reason=self.obstacle)

    def hindered(self, person: Person) -> str | None:
        """Why the step at hand cannot be sent with what is known."""
        if any(value is None for value in self._variables(self._step, person).values()):
            return "missing_variable"
        reachable = self.conversation or person.conversation or person.field("phone")
        return None if reachable else "unreachable"

    def run(self, person: Person, zone: str, now: datetime) -> None:
        """The due step: one send, and the next due time or the end; or parked."""
        assert self.due is not None
        self.obstacle = self.hindered(person)
        if self.obstacle:
            self.status = "parked"
            self._change(now, SCHEDULE, "parked", stepIndex=self.position, reason=self.obstacle)
            return
        step, was_due = self._step, self.due
        self.position += 1
        ended = self.position == len(self.plan.steps)
        self.due = None if ended else end_of(now, self._step.wait, zone)
        self.revision += 1
        self._send(step, was_due, person, now)
        send_id = self.told[-1][1]["sendId"]
        sent = {"stepKey": step.key, "stepIndex": self.position - 1, "sendId": send_id, "dueAt": wire(was_due)}
        self._tell(now, SCHEDULE, "cadence.step.executed", **sent, nextRunAt=self.due and wire(self.due))
        if ended:
            self._complete(now, SCHEDULE)

    def _complete(self, now: datetime, cause: dict[str, Any]) -> None:
        self._free()
        self.status, self.ended_at, self.due = "completed", now, None
        self._change(now, cause, "completed", tags=list(self.plan.completion_tags))

    def _free(self) -> None:
        """Neither held nor parked any more."""
        self.left = self.held_due = self.paused_by = self.resume_at = self.obstacle = None

    @property
    def step_key(self) -> str | None:
        """Of the step that it waits at; None behind the last."""
        return self._step.key if self.position < len(self.plan.steps) else None

    @property
    def _step(self) -> Step:
        return self.plan.steps[self.position]

    def _send(self, step: Step, was_due: datetime, person: Person, now: datetime) -> None:
        name = person.field("name")
        data = {
            **self._identity,
            "sendId": str(uuid5(self.id, f"{self.revision}:whatsapp.send.requested")),
            "to": person.field("phone"),
            "conversationId": self.conversation or person.conversation,
            "template": {
                "id": step.template.id,
                "category": step.template.category,
                "language": self.plan.language or DEFAULT_LANGUAGE,
                "variables": ({"contactName": name} if name else {}) | self._variables(step, person),
            },
            "stepKey": step.key,
            "stepIndex": self.position - 1,
            "dueAt": wire(was_due),
            "requestedAt": wire(now),
            "expiresAt": wire(now + self.plan.send_within),
        }
        self.told.append(("whatsapp.send.requested", data))

    def _variables(self, step: Step, person: Person) -> dict[str, str | None]:
        values: dict[str, str | None] = {}
        for name, variable in step.template.variables.items():
            if isinstance(variable, Literally):
                values[name] = variable.text
            else:
                told = person.field("name") if variable.source is Source.CONTACT else self.product
                values[name] = told or variable.fallback
        return values

    @property
    def _identity(self) -> dict[str, Any]:
        return {
            "companyId": COMPANY,
            "contactId": self.contact,
            "enrollmentId": str(self.id),
            "cadenceId": str(self.cadence_id),
            "cadenceKey": self.plan.key,
            "version": self.version,
        }

    def _change(self, at: datetime, cause: dict[str, Any], what: str, **more: Any) -> None:
        self.revision += 1
        self._tell(at, cause, f"cadence.enrollment.{what}", **more)

    def _tell(self, at: datetime, cause: dict[str, Any], type_: str, **more: Any) -> None:
        data = {**self._identity, "revision": self.revision, "at": wire(at), "cause": cause, **more}
        self.told.append((type_, data))
