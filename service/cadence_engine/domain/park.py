"""Setting aside what cannot be decided, and taking it up again when it can."""

from datetime import datetime

from cadence_engine.domain.decision import Decision
from cadence_engine.domain.enrollment import Enrollment, ParkReason, Status
from cadence_engine.domain.events import PARKED, RESUMED, SCHEDULE, Cause, about, wire_time
from cadence_engine.domain.facts import Facts


def park(enrollment: Enrollment, reason: ParkReason, detail: str, facts: Facts, now: datetime) -> Decision:
    """Keep the due time: the step runs at once when the missing thing arrives."""
    parked = enrollment._replace(
        status=Status.PARKED,
        park_reason=reason,
        park_detail=detail,
        parked_knowing=facts.revisions,
        revision=enrollment.revision + 1,
    )
    told = about(parked, PARKED, now, SCHEDULE, stepIndex=enrollment.step_index, reason=reason.value, detail=detail)
    return Decision(parked, (told,), enrollment)


def unpark(enrollment: Enrollment, cause: Cause, now: datetime) -> Decision:
    """Active again, due when it was."""
    active = enrollment.freed()._replace(status=Status.ACTIVE, revision=enrollment.revision + 1)
    due = None if active.next_run_at is None else wire_time(active.next_run_at)
    resumed = about(active, RESUMED, now, cause, reason="unparked", actor=cause.actor, nextRunAt=due)
    return Decision(active, (resumed,), enrollment)


def still_parked(enrollment: Enrollment, facts: Facts) -> Decision:
    """Looked at again in vain: nothing to tell, and nothing to look at until the facts change once more."""
    return Decision(enrollment._replace(parked_knowing=facts.revisions), (), enrollment)
