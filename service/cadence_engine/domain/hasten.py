"""Letting a step run before its time: through the gate and the claim, as every step."""

from datetime import datetime

from cadence_engine.domain.cadence import CadenceVersion
from cadence_engine.domain.decision import Decision
from cadence_engine.domain.enrollment import Enrollment
from cadence_engine.domain.events import HASTENED, Cause, about, wire_time


def hasten(
    enrollment: Enrollment, version: CadenceVersion, *, now: datetime, cause: Cause, note: str | None
) -> Decision:
    """An active enrollment is due now. Its revision stays: other services see nothing of this but the step itself."""
    if enrollment.next_run_at is None or enrollment.next_run_at <= now:
        raise ValueError(f"enrollment {enrollment.enrollment_id} is not waiting: there is nothing to hasten")
    step = version.step_at(enrollment.step_index)
    more = {
        "stepKey": step and step.key,
        "stepIndex": enrollment.step_index,
        "dueAt": wire_time(enrollment.next_run_at),
        "nextRunAt": wire_time(now),
        "note": note,
    }
    hastened = enrollment._replace(next_run_at=now)
    return Decision(hastened, (about(hastened, HASTENED, now, cause, **more),), enrollment)
