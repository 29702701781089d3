"""What a live enrollment waits for now."""

from datetime import datetime
from enum import StrEnum
from typing import assert_never

from cadence_engine.domain.enrollment import Enrollment, Status
from cadence_engine.domain.gate import Held


class WaitsFor(StrEnum):
    """Its time, a worker (it is due), or what has to happen before it can be due."""

    TIME = "time"
    WORKER = "worker"
    HALT = "halt"
    GATE = "gate"
    CADENCE = "cadence"
    OPERATOR = "operator"
    MENDING = "mending"

    @property
    def meaning(self) -> str:
        return _MEANING[self]


_MEANING = {
    WaitsFor.TIME: "waits for its time",
    WaitsFor.WORKER: "is due: the next free worker runs it",
    WaitsFor.HALT: "is due, and its company is halted",
    WaitsFor.GATE: "is due, and no step runs now",
    WaitsFor.CADENCE: "held with its cadence",
    WaitsFor.OPERATOR: "held by an operator",
    WaitsFor.MENDING: "parked until what it lacks is there",
}


def waits_for(
    enrollment: Enrollment, *, cadence_active: bool, halted: bool, gate: datetime | Held, now: datetime
) -> WaitsFor | None:
    """None: it has ended. `gate` is what `domain.gate.decide` says, `now` the clock that it was asked with."""
    match enrollment.status:
        case Status.COMPLETED | Status.CANCELLED:
            return None
        case Status.PARKED:
            return WaitsFor.MENDING
        case Status.PAUSED:
            return WaitsFor.OPERATOR if enrollment.paused_by == "operator" else WaitsFor.CADENCE
        case Status.ACTIVE:
            if not cadence_active:
                return WaitsFor.CADENCE
            if enrollment.next_run_at is None or enrollment.next_run_at > now:
                return WaitsFor.TIME
            if halted:
                return WaitsFor.HALT
            return WaitsFor.GATE if isinstance(gate, Held) else WaitsFor.WORKER
    assert_never(enrollment.status)
