"""What the log holds: each event in its wire form (camelCase, RFC 3339 UTC), as `cadence_contracts` describes it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid5

from cadence_engine.domain.cadence import Step
from cadence_engine.domain.enrollment import Enrollment

SEND_REQUESTED = "whatsapp.send.requested"
STARTED = "cadence.enrollment.started"
STEP_EXECUTED = "cadence.step.executed"
STEP_SKIPPED = "cadence.step.skipped"
PAUSED = "cadence.enrollment.paused"
RESUMED = "cadence.enrollment.resumed"
PARKED = "cadence.enrollment.parked"
CANCELLED = "cadence.enrollment.cancelled"
COMPLETED = "cadence.enrollment.completed"
REFUSED = "cadence.enrollment.refused"
"""Kept for "why not?": an enrollment that was not made has no id or revision to tell."""
HASTENED = "cadence.step.hastened"
"""An operator let a step run before its time. It shares the revision that it was done at: nobody outside misses one."""
MOVED = "cadence.enrollment.moved"
"""An operator took an enrollment to another version of its cadence, at the revision that it has."""
ERASED = "cadence.contact.erased"
"""A contact was deleted. Whoever deleted it told the others; each passage that it ended tells of itself."""
ANSWERED = "cadence.enrollment.answered"
"""The contact replied to a completed passage. It shares the revision of the completion."""
DEAD_LETTER = "cadence.dead-letter"
"""Refers to a row of `dead_letters`, which holds the record itself."""

UNPUBLISHED = frozenset({REFUSED, HASTENED, MOVED, ERASED, ANSWERED})
"""In the log for whoever asks why; never on Kafka."""


class Cause(NamedTuple):
    """What led to a change: the inbound event (`source`, `id`), or the `actor` who asked for it.

    `traceparent` is the trace context that it came with, if somebody traces it.
    """

    source: str | None = None
    id: str | None = None
    actor: str | None = None
    traceparent: str | None = None

    def wire(self) -> dict[str, Any]:
        return {"actor": self.actor} if self.source is None else {"source": self.source, "id": self.id}


SCHEDULE = Cause(actor="schedule")
DETECTOR = Cause(actor="inactivity-detector")


class Event(NamedTuple):
    """A row of the log. `enrollment_id` and `revision` are None where there is no enrollment."""

    type: str
    event_id: UUID
    company_id: str | None
    contact_id: str | None
    enrollment_id: UUID | None
    revision: int | None
    data: Mapping[str, Any]


@lru_cache(maxsize=1024)  # a batch tells a few instants many times
def wire_time(instant: datetime) -> str:
    """RFC 3339 in UTC with `Z`."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def event_id(enrollment_id: UUID, revision: int, type_: str) -> UUID:
    """The same for the same change of the same enrollment, whoever computes it."""
    return uuid5(enrollment_id, f"{revision}:{type_}")


def about(enrollment: Enrollment, type_: str, at: datetime, cause: Cause, **more: Any) -> Event:
    """A lifecycle event of `enrollment` as it is after the change (its revision included)."""
    data = {
        "companyId": enrollment.company_id,
        "contactId": enrollment.contact_id,
        "enrollmentId": str(enrollment.enrollment_id),
        "cadenceId": str(enrollment.cadence_id),
        "cadenceKey": enrollment.cadence_key,
        "version": enrollment.version,
        "revision": enrollment.revision,
        "at": wire_time(at),
        "cause": cause.wire(),
        **more,
    }
    return _row(enrollment, type_, event_id(enrollment.enrollment_id, enrollment.revision, type_), data)


def send_requested(
    enrollment: Enrollment,
    step: Step,
    *,
    index: int,
    to: str | None,
    conversation_id: str | None,
    language: str,
    variables: Mapping[str, str],
    due_at: datetime,
    at: datetime,
    expires_at: datetime,
) -> Event:
    """The command to send `step`; `enrollment` is as it is after the step, `index` the step's position."""
    send_id = event_id(enrollment.enrollment_id, enrollment.revision, SEND_REQUESTED)
    data = {
        "sendId": str(send_id),
        "companyId": enrollment.company_id,
        "contactId": enrollment.contact_id,
        "to": to,
        "conversationId": conversation_id,
        "template": {
            "id": step.template.id,
            "language": language,
            "category": step.template.category,
            "variables": dict(variables),
        },
        "enrollmentId": str(enrollment.enrollment_id),
        "cadenceId": str(enrollment.cadence_id),
        "cadenceKey": enrollment.cadence_key,
        "version": enrollment.version,
        "stepKey": step.key,
        "stepIndex": index,
        "dueAt": wire_time(due_at),
        "requestedAt": wire_time(at),
        "expiresAt": wire_time(expires_at),
    }
    return _row(enrollment, SEND_REQUESTED, send_id, data)


def _row(enrollment: Enrollment, type_: str, id_: UUID, data: Mapping[str, Any]) -> Event:
    return Event(
        type=type_,
        event_id=id_,
        company_id=enrollment.company_id,
        contact_id=enrollment.contact_id,
        enrollment_id=enrollment.enrollment_id,
        revision=enrollment.revision,
        data=data,
    )
