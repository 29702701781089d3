"""What would become of a contact in a cadence, by the very rules that enroll it and run its steps."""

from dataclasses import dataclass
from datetime import datetime

from cadence_engine.domain.advance import Obstacle, address, advance
from cadence_engine.domain.cadence import CadenceVersion
from cadence_engine.domain.decision import Decision
from cadence_engine.domain.enroll import AlreadyEnrolled, Enrolled, EnrollRequest, Refused, Situation, decide
from cadence_engine.domain.enrollment import Enrollment, Status
from cadence_engine.domain.facts import Facts
from cadence_engine.domain.policy import Policy


@dataclass(frozen=True, slots=True)
class Ahead:
    """A step behind one that parks: not reached, and what it would lack; None: nothing."""

    key: str
    obstacle: Obstacle | None


@dataclass(frozen=True, slots=True)
class Passage:
    """How it would go if nobody replied and nothing changed: each step runs at the instant at which it is due.

    `steps` are what the worker would decide, in order; the last one completes the passage or parks it. `ahead`: the
    steps behind one that parks.
    """

    started: Decision
    steps: tuple[Decision, ...]
    ahead: tuple[Ahead, ...]

    @property
    def ends_as(self) -> Status:
        """Completed or parked."""
        return self.steps[-1].enrollment.status


Simulated = Passage | AlreadyEnrolled | Refused


def simulate(
    request: EnrollRequest, found: Situation, facts: Facts, version: CadenceVersion, now: datetime, policy: Policy
) -> Simulated:
    """What enrolling at `now` would come to; `found` is about `version`."""
    outcome = decide(request, found, now)
    if not isinstance(outcome, Enrolled):
        return outcome
    steps: list[Decision] = []
    enrollment = outcome.decision.enrollment
    while enrollment.status is Status.ACTIVE and enrollment.next_run_at is not None:
        steps.append(advance(enrollment, version, facts, enrollment.next_run_at, policy))
        enrollment = steps[-1].enrollment
    return Passage(outcome.decision, tuple(steps), _ahead(enrollment, version, facts))


def _ahead(enrollment: Enrollment, version: CadenceVersion, facts: Facts) -> tuple[Ahead, ...]:
    if enrollment.status is not Status.PARKED:
        return ()
    ahead = []
    for step in version.definition.steps[enrollment.step_index + 1 :]:
        found = address(enrollment, step, facts)
        ahead.append(Ahead(step.key, found if isinstance(found, Obstacle) else None))
    return tuple(ahead)
