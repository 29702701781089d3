"""Between a row of `cadence_enrollments` and the value that decisions are made on."""

import asyncpg

from cadence_engine.domain.enrollment import Enrollment, ParkReason, PausedBy, Status

COLUMNS = """e.company_id, e.enrollment_id, e.cadence_id, k.key, e.version, e.contact_id, e.lead_id, e.conversation_id,
    e.status, e.step_index, e.next_run_at, e.revision, e.trigger, e.triggered_at, e.started_at, e.context,
    e.ended_at, e.cancel_reason, e.wait_left, e.paused_by, e.park_reason, e.park_detail, e.parked_knowing,
    e.held_due_at, e.resume_at, e.traceparent"""
"""In the order of Enrollment's fields; `e` is the enrollment, `k` its cadence."""

WIDTH = len(COLUMNS.split(","))


STATUS, PAUSED_BY, PARK_REASON = (Enrollment._fields.index(name) for name in ("status", "paused_by", "park_reason"))
STATUSES = {status.value: status for status in Status}  # Status(..) costs a microsecond, for every row of a batch


def enrollment(row: asyncpg.Record) -> Enrollment:
    """From a row that starts with COLUMNS."""
    values = list(row[:WIDTH])
    values[STATUS] = STATUSES[values[STATUS]]
    values[PAUSED_BY] = values[PAUSED_BY] and PausedBy(values[PAUSED_BY])
    values[PARK_REASON] = values[PARK_REASON] and ParkReason(values[PARK_REASON])
    return Enrollment._make(values)
