"""Ways in which an enrollment that was paused goes on. None makes a burst: what is overdue goes one after the other."""

from datetime import datetime
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
    if enrollment.wait_left is None or enrollment.held_due_at is None:
        raise ValueError(f"enrollment {enrollment.enrollment_id} is {enrollment.status}: only a paused one is resumed")
    if mode is ResumeMode.SKIP_MISSED:
        return _without_missed(enrollment, enrollment.held_due_at, version, zone, spread, now, cause, reason)
    due = now + enrollment.wait_left if mode is ResumeMode.SHIFT else enrollment.held_due_at
    return pause.resume(enrollment, now=now, cause=cause, reason=reason, due=due if due > now else spread.take())


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
