"""The last third of gather, decide, apply: write decisions, log their events, hint at what becomes due."""

from collections.abc import Sequence

from cadence_engine.domain.decision import Decision
from cadence_engine.domain.enrollment import Status
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.enrollments import save


async def apply(unit: UnitOfWork, decisions: Sequence[Decision]) -> None:
    """All decisions about locked enrollments, in order."""
    await save.save(unit.connection, decisions)
    tell(unit, decisions)


def tell(unit: UnitOfWork, decisions: Sequence[Decision]) -> None:
    """Log the events of decisions that are written, and hint at what becomes due."""
    for decision in decisions:
        unit.log(*decision.events)
        enrollment = decision.enrollment
        if enrollment.status is Status.ACTIVE and enrollment.next_run_at is not None:
            unit.wake(enrollment.next_run_at)
