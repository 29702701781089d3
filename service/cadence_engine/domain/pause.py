"""Holding enrollments, alone or with their cadence, and going on without a burst: each keeps the rest of its wait."""

from datetime import datetime
from enum import StrEnum

from cadence_engine.domain import events
from cadence_engine.domain.decision import Decision
from cadence_engine.domain.enrollment import Enrollment, PausedBy, Status
from cadence_engine.domain.events import Cause, wire_time
from cadence_engine.domain.schedule import wait_left


class CadenceStatus(StrEnum):
    """Paused: nobody enters, no step runs. Archived: nobody enters, and nobody is in it any more."""

    ACTIVE = "active"
    PAUSED = "paused"
    ARCHIVED = "archived"


def pause(
    enrollment: Enrollment,
    *,
    by: PausedBy,
    held_at: datetime,
    now: datetime,
    cause: Cause,
    reason: str | None,
    resume_at: datetime | None = None,
) -> Decision:
    """A live enrollment held since `held_at`, with what was left of its wait then; `resume_at`: to go on by itself.

    One that is paused already keeps what it has, and is `by`'s from now on. A parked one is decided anew afterwards.
    """
    due, left = enrollment.held_due_at, enrollment.wait_left
    if enrollment.next_run_at is not None:
        due, left = enrollment.next_run_at, wait_left(enrollment.next_run_at, held_at)
    if due is None:
        raise ValueError(f"enrollment {enrollment.enrollment_id} is {enrollment.status}: only a live one is paused")
    paused = enrollment.freed()._replace(
        status=Status.PAUSED,
        wait_left=left,
        held_due_at=due,
        next_run_at=None,
        paused_by=by,
        resume_at=resume_at,
        revision=enrollment.revision + 1,
    )
    more = {"reason": reason, "actor": cause.actor, "nextRunAt": None, "resumeAt": resume_at and wire_time(resume_at)}
    return Decision(paused, (events.about(paused, events.PAUSED, now, cause, **more),), enrollment)


def resume(enrollment: Enrollment, *, now: datetime, cause: Cause, reason: str | None, due: datetime) -> Decision:
    """A paused enrollment going on where it was held, its step `due` then."""
    resumed = enrollment.freed()._replace(status=Status.ACTIVE, next_run_at=due, revision=enrollment.revision + 1)
    more = {"reason": reason, "actor": cause.actor, "nextRunAt": wire_time(due)}
    return Decision(resumed, (events.about(resumed, events.RESUMED, now, cause, **more),), enrollment)
