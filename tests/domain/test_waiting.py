"""What a live enrollment waits for."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from cadence_engine.domain.enrollment import Enrollment, PausedBy, Status
from cadence_engine.domain.gate import Held
from cadence_engine.domain.waiting import WaitsFor, waits_for

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOON, BEFORE = NOW + timedelta(seconds=1), NOW - timedelta(seconds=1)
OPEN = NOW


def passage(status: Status, due: datetime | None = None, paused_by: PausedBy | None = None) -> Enrollment:
    return Enrollment(
        company_id="acme",
        enrollment_id=uuid.uuid4(),
        cadence_id=uuid.uuid4(),
        cadence_key="trial",
        version=1,
        contact_id="ana",
        lead_id=None,
        conversation_id=None,
        status=status,
        step_index=0,
        next_run_at=due,
        revision=1,
        trigger="api",
        triggered_at=BEFORE,
        started_at=BEFORE,
        context={},
        paused_by=paused_by,
    )


@pytest.mark.parametrize(
    ("enrollment", "cadence_active", "gate", "expected"),
    [
        (passage(Status.ACTIVE, SOON), True, OPEN, WaitsFor.TIME),
        (passage(Status.ACTIVE, SOON), True, Held.RELAY_STUCK, WaitsFor.TIME),
        (passage(Status.ACTIVE, NOW), True, OPEN, WaitsFor.WORKER),
        (passage(Status.ACTIVE, BEFORE), True, Held.REPLIES_BEHIND, WaitsFor.GATE),
        (passage(Status.ACTIVE, BEFORE), False, Held.REPLIES_BEHIND, WaitsFor.CADENCE),
        (passage(Status.PAUSED, paused_by=PausedBy.CADENCE), True, OPEN, WaitsFor.CADENCE),
        (passage(Status.PAUSED, paused_by=PausedBy.OPERATOR), False, OPEN, WaitsFor.OPERATOR),
        (passage(Status.PARKED, BEFORE), False, Held.REPLIES_BEHIND, WaitsFor.MENDING),
        (passage(Status.COMPLETED), True, OPEN, None),
        (passage(Status.CANCELLED), True, OPEN, None),
    ],
)
def test_what_a_passage_waits_for(
    enrollment: Enrollment, cadence_active: bool, gate: datetime | Held, expected: WaitsFor | None
) -> None:
    assert waits_for(enrollment, cadence_active=cadence_active, halted=False, gate=gate, now=NOW) is expected


@pytest.mark.parametrize(("due", "expected"), [(SOON, WaitsFor.TIME), (NOW, WaitsFor.HALT)])
def test_a_halt_is_told_of_what_is_due(due: datetime, expected: WaitsFor) -> None:
    waiting = waits_for(
        passage(Status.ACTIVE, due), cadence_active=True, halted=True, gate=Held.REPLIES_BEHIND, now=NOW
    )
    assert waiting is expected
