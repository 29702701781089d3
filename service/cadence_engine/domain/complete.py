"""The end of a passage behind its last step."""

from datetime import datetime

from cadence_engine.domain.cadence import CadenceVersion
from cadence_engine.domain.decision import Decision
from cadence_engine.domain.enrollment import Enrollment, Status
from cadence_engine.domain.events import COMPLETED, Cause, Event, about


def complete(
    enrollment: Enrollment,
    version: CadenceVersion,
    told: tuple[Event, ...],
    before: Enrollment,
    *,
    now: datetime,
    cause: Cause,
) -> Decision:
    """`enrollment` is as `told` left it, `before` as the whole decision began; the contact gets the version's tags."""
    tags = version.definition.completion_tags
    completed = enrollment.freed()._replace(
        status=Status.COMPLETED,
        next_run_at=None,
        ended_at=now,
        revision=enrollment.revision + 1,
    )
    return Decision(completed, (*told, about(completed, COMPLETED, now, cause, tags=list(tags))), before, tags)
