"""Passing over a step: it is not sent, and will not be."""

from datetime import datetime
from enum import StrEnum

from cadence_engine.domain import schedule
from cadence_engine.domain.cadence import CadenceVersion, Step
from cadence_engine.domain.complete import complete
from cadence_engine.domain.decision import Decision
from cadence_engine.domain.enrollment import Enrollment, Status
from cadence_engine.domain.events import STEP_SKIPPED, Cause, Event, about, wire_time


class SkipReason(StrEnum):
    """An open set on the wire: consumers must accept more."""

    OPERATOR = "operator"
    MISSED = "missed"
    """Its time passed while the enrollment was paused."""


def skip(
    enrollment: Enrollment,
    step: Step,
    version: CadenceVersion,
    zone: str,
    *,
    now: datetime,
    cause: Cause,
    note: str | None,
) -> Decision:
    """A live enrollment without its next step, which is `step`: later steps keep their times, and a pause goes on.

    The wait of the step behind it counts from when `step` was due, or from now where that is over. A parked enrollment
    is active again; without a further step it is completed.
    """
    following = version.step_at(enrollment.step_index + 1)
    if following is None:
        passed, told = pass_over(enrollment, step, None, SkipReason.OPERATOR, now=now, cause=cause, note=note)
        return complete(passed, version, (told,), enrollment, now=now, cause=cause)
    if enrollment.held_due_at is not None and enrollment.wait_left is not None:
        due = schedule.after(enrollment.held_due_at, following.wait, zone)
        later = enrollment.wait_left + (due - enrollment.held_due_at)
        passed, told = pass_over(enrollment, step, None, SkipReason.OPERATOR, now=now, cause=cause, note=note)
        return Decision(passed._replace(held_due_at=due, wait_left=later), (told,), enrollment)
    due = schedule.after(max(enrollment.next_run_at or now, now), following.wait, zone)
    passed, told = pass_over(enrollment, step, due, SkipReason.OPERATOR, now=now, cause=cause, note=note)
    return Decision(passed.freed()._replace(status=Status.ACTIVE, next_run_at=due), (told,), enrollment)


def pass_over(
    enrollment: Enrollment,
    step: Step,
    due: datetime | None,
    reason: SkipReason,
    *,
    now: datetime,
    cause: Cause,
    note: str | None,
) -> tuple[Enrollment, Event]:
    """The enrollment one step further, otherwise as it was, and what to tell; `due`: when the step behind it is."""
    passed = enrollment._replace(step_index=enrollment.step_index + 1, revision=enrollment.revision + 1)
    more = {"stepKey": step.key, "stepIndex": enrollment.step_index, "reason": reason.value, "note": note}
    return passed, about(passed, STEP_SKIPPED, now, cause, **more, nextRunAt=due and wire_time(due))
