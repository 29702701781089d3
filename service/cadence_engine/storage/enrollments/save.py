"""Writing decisions: any number of them in one statement each for new and for changed enrollments."""

from collections import defaultdict
from collections.abc import Sequence

from cadence_engine.domain.contact import ContactKey
from cadence_engine.domain.decision import Decision
from cadence_engine.domain.enrollment import Enrollment, Status
from cadence_engine.storage import contacts, many
from cadence_engine.storage.connection import Connection

AS_DECIDED_ON = """
    WHERE e.company_id = new.company_id AND e.enrollment_id = new.enrollment_id AND e.revision = new.decided_on
"""
# By far the most frequent change has a statement of its own: it costs two thirds of the other (measured).
MOVE = f"""
    UPDATE cadence_enrollments AS e SET
        revision = new.revision, step_index = new.step_index, next_run_at = new.next_run_at
    FROM unnest($1::text[], $2::uuid[], $3::int[], $4::int[], $5::int[], $6::timestamptz[]
    ) AS new (company_id, enrollment_id, decided_on, revision, step_index, next_run_at)
    {AS_DECIDED_ON}
"""  # noqa: S608  # constants of this module
# So has the next: whoever ended waits for nothing any more.
END = f"""
    UPDATE cadence_enrollments AS e SET
        revision = new.revision, step_index = new.step_index, status = new.status, ended_at = new.ended_at,
        cancel_reason = new.cancel_reason, next_run_at = NULL, wait_left = NULL, paused_by = NULL, held_due_at = NULL,
        resume_at = NULL, park_reason = NULL, park_detail = NULL, parked_knowing = NULL
    FROM unnest($1::text[], $2::uuid[], $3::int[], $4::int[], $5::int[], $6::text[], $7::timestamptz[], $8::text[]
    ) AS new (company_id, enrollment_id, decided_on, revision, step_index, status, ended_at, cancel_reason)
    {AS_DECIDED_ON}
"""  # noqa: S608
CHANGE = f"""
    UPDATE cadence_enrollments AS e SET
        revision = new.revision, step_index = new.step_index, next_run_at = new.next_run_at,
        status = new.status, wait_left = new.wait_left, ended_at = new.ended_at,
        cancel_reason = new.cancel_reason, paused_by = new.paused_by, park_reason = new.park_reason,
        park_detail = new.park_detail, parked_knowing = new.parked_knowing, held_due_at = new.held_due_at,
        resume_at = new.resume_at
    FROM unnest($1::text[], $2::uuid[], $3::int[], $4::int[], $5::int[], $6::timestamptz[], $7::text[], $8::interval[],
        $9::timestamptz[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::timestamptz[],
        $16::timestamptz[]
    ) AS new (company_id, enrollment_id, decided_on, revision, step_index, next_run_at, status, wait_left,
        ended_at, cancel_reason, paused_by, park_reason, park_detail, parked_knowing, held_due_at, resume_at)
    {AS_DECIDED_ON}
"""  # noqa: S608


class StaleDecisionError(Exception):
    """An enrollment is no longer at the revision that was decided on: it was changed without its lock."""


async def insert(connection: Connection, enrollments: Sequence[Enrollment]) -> None:
    """Write new enrollments. A second live one of a contact in a cadence violates `enrollments_one_live`."""
    if not enrollments:
        return
    await connection.copy_records_to_table("cadence_enrollments", columns=NEW, records=map(_new, enrollments))


async def save(connection: Connection, decisions: Sequence[Decision]) -> None:
    """Write what was decided about locked enrollments, their completion tags included.

    Raises StaleDecisionError where a row is not at the revision that was decided on.
    """
    if not decisions:
        return
    moved: list[Decision] = []
    ended: list[Decision] = []
    changed: list[Decision] = []
    for decision in decisions:
        if not decision.enrollment.live:
            ended.append(decision)
        elif _only_moved(decision):
            moved.append(decision)
        else:
            changed.append(decision)
    written = (
        await many.execute(connection, MOVE, map(_place, moved))
        + await many.execute(connection, END, map(_end, ended))
        + await many.execute(connection, CHANGE, map(_state, changed))
    )
    if written != len(decisions):
        raise StaleDecisionError(f"{len(decisions)} enrollments were decided, {written} were still as decided on")
    tags: dict[ContactKey, set[str]] = defaultdict(set)
    for decision in decisions:
        tags[decision.enrollment.contact_key].update(decision.tags)
    await contacts.add_completion_tags(connection, tags)


def _only_moved(decision: Decision) -> bool:
    """An active enrollment that stays active goes to a step and a due time: nothing else of it changes."""
    before, after = decision.before, decision.enrollment
    return before is not None and before.status is Status.ACTIVE and after.status is Status.ACTIVE


NEW = (
    "company_id",
    "enrollment_id",
    "cadence_id",
    "version",
    "contact_id",
    "lead_id",
    "conversation_id",
    "status",
    "step_index",
    "next_run_at",
    "revision",
    "trigger",
    "triggered_at",
    "started_at",
    "context",
    "traceparent",
)
"""What `_new` gives."""


def _new(enrollment: Enrollment) -> tuple[object, ...]:
    return (
        enrollment.company_id,
        enrollment.enrollment_id,
        enrollment.cadence_id,
        enrollment.version,
        enrollment.contact_id,
        enrollment.lead_id,
        enrollment.conversation_id,
        enrollment.status,
        enrollment.step_index,
        enrollment.next_run_at,
        enrollment.revision,
        enrollment.trigger,
        enrollment.triggered_at,
        enrollment.started_at,
        dict(enrollment.context),
        enrollment.traceparent,
    )


def _step(decision: Decision) -> tuple[object, ...]:
    enrollment = decision.enrollment
    return (
        enrollment.company_id,
        enrollment.enrollment_id,
        decision.decided_on,
        enrollment.revision,
        enrollment.step_index,
    )


def _place(decision: Decision) -> tuple[object, ...]:
    return (*_step(decision), decision.enrollment.next_run_at)


def _end(decision: Decision) -> tuple[object, ...]:
    enrollment = decision.enrollment
    return (*_step(decision), enrollment.status, enrollment.ended_at, enrollment.cancel_reason)


def _state(decision: Decision) -> tuple[object, ...]:
    enrollment = decision.enrollment
    return (
        *_place(decision),
        enrollment.status,
        enrollment.wait_left,
        enrollment.ended_at,
        enrollment.cancel_reason,
        enrollment.paused_by,
        enrollment.park_reason,
        enrollment.park_detail,
        enrollment.parked_knowing,
        enrollment.held_due_at,
        enrollment.resume_at,
    )
