"""What an operator may do with an enrollment, and when it is left as it is."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from cadence_engine.domain import pause as pausing
from cadence_engine.domain import resume as resuming
from cadence_engine.domain import skip as skipping
from cadence_engine.domain.cadence import CadenceVersion
from cadence_engine.domain.cancel import CancelReason, cancel
from cadence_engine.domain.decision import Decision
from cadence_engine.domain.enrollment import LIVE, Enrollment, PausedBy, Status
from cadence_engine.domain.events import Cause
from cadence_engine.domain.hasten import hasten
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.domain.resume import ResumeMode
from cadence_engine.domain.spread import Spread

CADENCE_HOLDS_IT = "cadence_paused"


@dataclass(frozen=True, slots=True)
class Pause:
    """Hold it, until resumed by an operator or, if given, at `until`. The newest pause counts."""

    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Resume:
    """Let what an operator has paused go on."""

    mode: ResumeMode = ResumeMode.SHIFT


@dataclass(frozen=True, slots=True)
class Skip:
    """Pass over the step that it waits at, if that is this one."""

    step_key: str


@dataclass(frozen=True, slots=True)
class RunNow:
    """Do not wait any longer for the next step."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """End it."""


Operation = Pause | Resume | Skip | RunNow | Cancel


class Left(StrEnum):
    """Why an enrollment was left as it is."""

    ALREADY = "already"
    ENDED = "ended"
    PAUSED = "paused"
    PARKED = "parked"
    HELD_BY_CADENCE = "held_by_cadence"
    ANOTHER_STEP = "another_step"

    @property
    def meaning(self) -> str:
        """A sentence, with what to do."""
        return _MEANINGS[self]


_MEANINGS = {
    Left.ALREADY: "it is so already",
    Left.ENDED: "it has ended",
    Left.PAUSED: "it is paused: resume it first",
    Left.PARKED: "it is parked: what it lacks must arrive, or be skipped",
    Left.HELD_BY_CADENCE: "it is paused with its cadence: resume the cadence",
    Left.ANOTHER_STEP: "it does not wait at that step, or no longer",
}


@dataclass(frozen=True, slots=True)
class Situation:
    """What an operation is decided on, besides the enrollment. `zone`: in which local days are counted."""

    version: CadenceVersion
    cadence_status: CadenceStatus
    zone: str
    spread: Spread
    now: datetime


AT_WORK: dict[type[Operation], frozenset[Status]] = {
    Pause: LIVE,
    Resume: frozenset({Status.PAUSED}),
    Skip: LIVE,
    RunNow: frozenset({Status.ACTIVE}),
    Cancel: LIVE,
}
"""In which statuses an operation may find something to do."""


def decide(
    operation: Operation, enrollment: Enrollment, situation: Situation, cause: Cause, reason: str | None
) -> Decision | Left:
    """`reason` is the operator's own words. Asked again, what is done already is left."""
    if not enrollment.live:
        cancelled = isinstance(operation, Cancel) and enrollment.status is Status.CANCELLED
        return Left.ALREADY if cancelled else Left.ENDED
    match operation:
        case Pause(until):
            return _pause(enrollment, until, situation, cause, reason)
        case Resume(mode):
            return _resume(enrollment, mode, situation, cause, reason)
        case Skip(step_key):
            return _skip(enrollment, step_key, situation, cause, reason)
        case RunNow():
            return _run_now(enrollment, situation, cause, reason)
        case Cancel():
            return cancel(enrollment, CancelReason.OPERATOR, cause, situation.now, note=reason)
    assert_never(operation)


def _pause(
    enrollment: Enrollment, until: datetime | None, situation: Situation, cause: Cause, reason: str | None
) -> Decision | Left:
    if enrollment.paused_by is PausedBy.OPERATOR and enrollment.resume_at == until:
        return Left.ALREADY
    now = situation.now
    return pausing.pause(
        enrollment, by=PausedBy.OPERATOR, held_at=now, now=now, cause=cause, reason=reason, resume_at=until
    )


def _resume(
    enrollment: Enrollment, mode: ResumeMode, situation: Situation, cause: Cause, reason: str | None
) -> Decision | Left:
    now = situation.now
    match enrollment.status, enrollment.paused_by:
        case Status.PARKED, _:
            return Left.PARKED
        case Status.PAUSED, PausedBy.CADENCE:
            return Left.HELD_BY_CADENCE
        case Status.PAUSED, PausedBy.OPERATOR:
            if situation.cadence_status is not CadenceStatus.ACTIVE:  # it goes on when its cadence does
                return pausing.pause(
                    enrollment, by=PausedBy.CADENCE, held_at=now, now=now, cause=cause, reason=CADENCE_HOLDS_IT
                )
            return resuming.resume(
                enrollment,
                mode,
                situation.version,
                situation.zone,
                situation.spread,
                now=now,
                cause=cause,
                reason=reason,
            )
    return Left.ALREADY


def _skip(
    enrollment: Enrollment, step_key: str, situation: Situation, cause: Cause, reason: str | None
) -> Decision | Left:
    step = situation.version.step_at(enrollment.step_index)
    if step is None or step.key != step_key:
        return Left.ANOTHER_STEP
    return skipping.skip(
        enrollment, step, situation.version, situation.zone, now=situation.now, cause=cause, note=reason
    )


def _run_now(enrollment: Enrollment, situation: Situation, cause: Cause, reason: str | None) -> Decision | Left:
    if enrollment.status is Status.PAUSED:
        return Left.PAUSED
    if enrollment.status is Status.PARKED:
        return Left.PARKED
    if enrollment.next_run_at is None or enrollment.next_run_at <= situation.now:
        return Left.ALREADY
    return hasten(enrollment, situation.version, now=situation.now, cause=cause, note=reason)
