"""Holding a cadence, and going on without a burst: each enrollment keeps the rest of its wait."""

from datetime import datetime
from enum import StrEnum

from cadence_engine.domain import events
from cadence_engine.domain.decision import Decision
from cadence_engine.domain.enrollment import Enrollment, PausedBy, Status
from cadence_engine.domain.events import Cause
from cadence_engine.domain.schedule import wait_left


class CadenceStatus(StrEnum):
    """Paused: nobody enters, no step runs."""

    ACTIVE = "active"
    PAUSED = "paused"


def pause(
    enrollment: Enrollment, *, by: PausedBy, held_at: datetime, now: datetime, cause: Cause, reason: str | None
) -> Decision:
    """An active enrollment held since `held_at`, with what was left of its wait then."""
    if enrollment.next_run_at is None:
        raise ValueError(f"enrollment {enrollment.enrollment_id} is {enrollment.status}: only an active one is paused")
    paused = enrollment._replace(
        status=Status.PAUSED,
        wait_left=wait_left(enrollment.next_run_at, held_at),
        next_run_at=None,
        paused_by=by,
        revision=enrollment.revision + 1,
    )
    told = events.about(paused, events.PAUSED, now, cause, reason=reason, actor=cause.actor, nextRunAt=None)
    return Decision(paused, (told,), enrollment)


def resume(enrollment: Enrollment, *, now: datetime, cause: Cause, reason: str | None) -> Decision:
    """A paused enrollment going on where it was held: the rest of its wait begins now."""
    if enrollment.wait_left is None:
        raise ValueError(f"enrollment {enrollment.enrollment_id} is {enrollment.status}: only a paused one is resumed")
    due = now + enrollment.wait_left
    resumed = enrollment._replace(
        status=Status.ACTIVE,
        next_run_at=due,
        wait_left=None,
        paused_by=None,
        revision=enrollment.revision + 1,
    )
    more = {"reason": reason, "actor": cause.actor, "nextRunAt": events.wire_time(due)}
    return Decision(resumed, (events.about(resumed, events.RESUMED, now, cause, **more),), enrollment)
