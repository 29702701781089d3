"""Between a row of `cadence_enrollments` and the value that decisions are made on."""

from dataclasses import replace

import asyncpg

from cadence_engine.domain.enrollment import Enrollment, ParkReason, PausedBy, Status

COLUMNS = """e.company_id, e.enrollment_id, e.cadence_id, k.key, e.version, e.contact_id, e.lead_id, e.conversation_id,
    e.status, e.step_index, e.next_run_at, e.revision, e.trigger, e.triggered_at, e.started_at, e.context,
    e.ended_at, e.cancel_reason, e.wait_left, e.paused_by, e.park_reason, e.park_detail, e.parked_knowing"""
"""In the order of Enrollment's fields; `e` is the enrollment, `k` its cadence."""

WIDTH = len(COLUMNS.split(","))


def enrollment(row: asyncpg.Record) -> Enrollment:
    """From a row that starts with COLUMNS."""
    known = Enrollment(*row[:WIDTH])
    return replace(
        known,
        status=Status(known.status),
        paused_by=known.paused_by and PausedBy(known.paused_by),
        park_reason=known.park_reason and ParkReason(known.park_reason),
    )
