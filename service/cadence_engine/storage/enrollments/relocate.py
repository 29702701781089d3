"""Writing enrollments that go to another version of their cadence."""

from collections.abc import Sequence

from cadence_engine.domain.decision import Decision
from cadence_engine.storage import many
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.enrollments.save import AS_DECIDED_ON, StaleDecisionError

# A move keeps the revision, so that the version tells it from one that was moved meanwhile.
RELOCATE = f"""
    UPDATE cadence_enrollments AS e SET
        version = new.version, step_index = new.step_index, next_run_at = new.next_run_at, wait_left = new.wait_left,
        held_due_at = new.held_due_at, parked_knowing = new.parked_knowing
    FROM unnest($1::text[], $2::uuid[], $3::int[], $4::int[], $5::int[], $6::int[], $7::timestamptz[], $8::interval[],
        $9::timestamptz[], $10::text[]
    ) AS new (company_id, enrollment_id, decided_on, was_version, version, step_index, next_run_at, wait_left,
        held_due_at, parked_knowing)
    {AS_DECIDED_ON} AND e.version = new.was_version
"""  # noqa: S608  # constants of this package


async def save(connection: Connection, decisions: Sequence[Decision]) -> None:
    """Write decisions about locked enrollments that change version, step and wait.

    Raises StaleDecisionError where a row is not at the version and revision that were decided on.
    """
    written = await many.execute(connection, RELOCATE, map(_row, decisions))
    if written != len(decisions):
        raise StaleDecisionError(f"{len(decisions)} enrollments were decided, {written} were still as decided on")


def _row(decision: Decision) -> tuple[object, ...]:
    enrollment, before = decision.enrollment, decision.before
    return (
        enrollment.company_id,
        enrollment.enrollment_id,
        decision.decided_on,
        before and before.version,
        enrollment.version,
        enrollment.step_index,
        enrollment.next_run_at,
        enrollment.wait_left,
        enrollment.held_due_at,
        enrollment.parked_knowing,
    )
