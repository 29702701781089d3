"""Ways in which an enrollment that was paused goes on. None makes a burst: what is overdue goes one after the other."""

from datetime import datetime, timedelta
from enum import StrEnum

from cadence_engine.domain import pause, schedule
from cadence_engine.domain.cadence import CadenceVersion
from cadence_engine.domain.complete import complete
from cadence_engine.domain.decision import Decision
from cadence_engine.domain.enrollment import Enrollment
from cadence_engine.domain.events import Cause, Event
from cadence_engine.domain.skip import SkipReason, pass_over
from cadence_engine.domain.spread import Spread


class ResumeMode(StrEnum):
    """What becomes of the time that has passed."""

    SHIFT = "shift"
    """The rest of the wait begins now, and every later step moves with it."""
    CATCH_UP = "catch_up"
    """The next step keeps its time; overdue, it goes as soon as it can."""
    SKIP_MISSED = "skip_missed"
    """Steps whose time has passed are skipped; the next one keeps its time."""


def resume(
    enrollment: Enrollment,
    mode: ResumeMode,
    version: CadenceVersion,
    zone: str,
    spread: Spread,
    *,
    now: datetime,
    cause: Cause,
    reason: str | None,
) -> Decision:
    """A paused enrollment goes on; `spread` gives a moment to each that would be overdue."""
    if mode is ResumeMode.SHIFT:
        return shift(enrollment, spread, now=now, cause=cause, reason=reason)
    due = _held(enrollment)[0]
    if mode is ResumeMode.SKIP_MISSED:
        return _without_missed(enrollment, due, version, zone, spread, now, cause, reason)
    return pause.resume(enrollment, now=now, cause=cause, reason=reason, due=due if due > now else spread.take())


def shift(enrollment: Enrollment, spread: Spread, *, now: datetime, cause: Cause, reason: str | None) -> Decision:
    """The rest of the wait of a paused enrollment begins now; if nothing is left of it, `spread` gives the moment."""
    left = _held(enrollment)[1]
    due = now + left if left else spread.take()
    return pause.resume(enrollment, now=now, cause=cause, reason=reason, due=due)


def _held(enrollment: Enrollment) -> tuple[datetime, timedelta]:
    """When a paused enrollment would have been due, and what was left of its wait."""
    if enrollment.held_due_at is None or enrollment.wait_left is None:
        raise ValueError(f"enrollment {enrollment.enrollment_id} is {enrollment.status}: only a paused one is resumed")
    return enrollment.held_due_at, enrollment.wait_left


def _without_missed(
    before: Enrollment,
    due: datetime,
    version: CadenceVersion,
    zone: str,
    spread: Spread,
    now: datetime,
    cause: Cause,
    reason: str | None,
) -> Decision:
    enrollment, told = before, list[Event]()
    while due <= now:
        step = version.step_at(enrollment.step_index)
        if step is None:  # it had run its last step: a worker completes it
            due = spread.take()
            break
        following = version.step_at(enrollment.step_index + 1)
        further = None if following is None else schedule.after(due, following.wait, zone)
        enrollment, skipped = pass_over(enrollment, step, further, SkipReason.MISSED, now=now, cause=cause, note=reason)
        told.append(skipped)
        if further is None:
            return complete(enrollment, version, tuple(told), before, now=now, cause=cause)
        due = further
    resumed = pause.resume(enrollment, now=now, cause=cause, reason=reason, due=due)
    return Decision(resumed.enrollment, (*told, *resumed.events), before)
