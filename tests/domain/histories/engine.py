"""The domain's own decisions, called as the handlers call them, on rows kept in memory."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from uuid import UUID

from cadence_engine.domain import enroll, gate, operate, park, pause
from cadence_engine.domain.advance import Obstacle, address, advance
from cadence_engine.domain.cadence import API, CadenceVersion, Definition
from cadence_engine.domain.cancel import CancelReason, cancel
from cadence_engine.domain.company import CompanyChange
from cadence_engine.domain.decision import Decision
from cadence_engine.domain.enroll import AlreadyEnrolled, Enrolled, EnrollRequest, Outcome, Refused
from cadence_engine.domain.enrollment import Enrollment, PausedBy, Status
from cadence_engine.domain.events import SCHEDULE, Cause
from cadence_engine.domain.gate import GateReading, Held
from cadence_engine.domain.operate import Left, Operation
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.domain.resume import shift
from cadence_engine.domain.spread import WELL_APART, Spread
from tests.domain.histories.passage import COMPANY
from tests.domain.histories.rows import Cadence, Rows, decided, twice

OPERATOR = Cause(actor="olga")


class Engine(Rows):
    """Everything that is asked of the engine, but for records: those are read by `Consumer`."""

    def publish(self, cadence_id: UUID, definition: Definition) -> None:
        """A new cadence, or a new version of one."""
        cadence = self.cadences.setdefault(cadence_id, Cadence(self.now))
        cadence.versions.append(CadenceVersion(COMPANY, cadence_id, len(cadence.versions) + 1, definition))

    def tell_company(self, zone: str | None) -> None:
        told = CompanyChange(time_zone=zone).applied(self.company, self.now)
        self.company = replace(told, revision=told.revision + 1)

    def enroll(self, requests: Iterable[EnrollRequest]) -> list[Outcome]:
        outcomes = []
        for request in requests:
            outcome = twice(lambda asked: enroll.decide(asked, self.situation(asked), self.now), request)
            if isinstance(outcome, Enrolled):
                self.insert(outcome.decision)
            outcomes.append(outcome)
        return outcomes

    def enroll_by_operator(
        self, cadence_id: UUID, contact: str, enrollment_id: UUID, conversation: str | None
    ) -> Outcome:
        request = EnrollRequest(
            COMPANY, cadence_id, contact, API, self.now, OPERATOR, enrollment_id, conversation_id=conversation
        )
        return self.enroll([request])[0]

    def run_due(self, reading: GateReading) -> list[Decision]:
        """What a worker decides; nothing is saved yet."""
        until = gate.decide(reading, self.policy)
        if isinstance(until, Held):
            return []
        due = [
            e
            for e in self.enrollments.values()
            if e.status is Status.ACTIVE and e.next_run_at and e.next_run_at <= until and self.active(e.cadence_id)
        ]
        return decided(due, lambda e: advance(e, self.version(e), self.facts(e), self.now, self.policy))

    def unpark(self, contacts: Collection[str]) -> None:
        """Look again at what these contacts have parked, on facts that changed since."""
        stale = [e for e in self._parked(contacts) if e.parked_knowing != self.facts(e).revisions]
        self._look_again(stale, SCHEDULE)

    def retry_parked(self) -> None:
        """An operator has all parked enrollments looked at again."""
        self._look_again(self._parked(self.contacts), OPERATOR)

    def hold(self, cadence_id: UUID, status: CadenceStatus) -> None:
        cadence = self.cadences[cadence_id]
        cadence.status, cadence.status_at, cadence.free_from = status, self.now, None

    def move(self, cadence_id: UUID, rows: int) -> None:
        """Let up to `rows` enrollments follow their cadence's status, in the order of the contacts."""
        cadence = self.cadences[cadence_id]
        misfit = (Status.PAUSED, PausedBy.CADENCE) if self.active(cadence_id) else (Status.ACTIVE, None)
        ends = cadence.status is CadenceStatus.ARCHIVED
        mine = [e for e in self.enrollments.values() if e.cadence_id == cadence_id and e.live]
        found = [e for e in mine if ends or (e.status, e.paused_by) == misfit]
        for each in sorted(found, key=lambda enrollment: enrollment.contact_id)[:rows]:
            decision, cadence.free_from = twice(partial(self._moved, cadence=cadence), each)
            self.save([decision])

    def operate(
        self, ids: Iterable[UUID], operation: Operation, cause: Cause = OPERATOR, reason: str = "because"
    ) -> list[str]:
        """Carry out an order about these enrollments; `done`, or why one was left as it is."""
        outcomes, free_from = [], self.now
        for each in ids:
            ask = partial(self._operated, operation=operation, free_from=free_from, cause=cause, reason=reason)
            outcome, free_from = twice(ask, self.enrollments[each])
            if isinstance(outcome, Decision):
                self.save([outcome])
            outcomes.append("done" if isinstance(outcome, Decision) else outcome.value)
        return outcomes

    def whose_pause_ends(self) -> list[UUID]:
        return [e.enrollment_id for e in self.enrollments.values() if e.resume_at and e.resume_at <= self.now]

    def cancel(
        self,
        causes: Mapping[UUID, Cause],
        reason: CancelReason,
        *,
        message_id: str | None = None,
        note: str | None = None,
    ) -> None:
        """End live enrollments, each for its cause."""
        self.save(
            decided(
                [self.enrollments[each] for each in causes],
                lambda e: cancel(e, reason, causes[e.enrollment_id], self.now, message_id=message_id, note=note),
            )
        )

    def _parked(self, contacts: Collection[str]) -> list[Enrollment]:
        return [
            e
            for e in self.enrollments.values()
            if e.contact_id in contacts and e.status is Status.PARKED and self.active(e.cadence_id)
        ]

    def _look_again(self, parked: Iterable[Enrollment], cause: Cause) -> None:
        self.save(decided(parked, lambda e: self._taken_up(e, cause)))

    def _taken_up(self, enrollment: Enrollment, cause: Cause) -> Decision:
        step = self.version(enrollment).step_at(enrollment.step_index)
        facts = self.facts(enrollment)
        obstacle = None if step is None else address(enrollment, step, facts)
        if not isinstance(obstacle, Obstacle):
            return park.unpark(enrollment, cause, self.now)
        if (obstacle.reason, obstacle.detail) == (enrollment.park_reason, enrollment.park_detail):
            return park.still_parked(enrollment, facts)
        return park.park(enrollment, obstacle.reason, obstacle.detail, facts, self.now)

    def _moved(self, enrollment: Enrollment, cadence: Cadence) -> tuple[Decision, datetime | None]:
        if cadence.status is CadenceStatus.ACTIVE:
            spread = Spread(max(self.now, cadence.free_from or self.now), WELL_APART)
            return shift(enrollment, spread, now=self.now, cause=OPERATOR, reason="because"), spread.free_from
        if cadence.status is CadenceStatus.ARCHIVED:
            return cancel(enrollment, CancelReason.CADENCE_ARCHIVED, OPERATOR, self.now, note="because"), None
        held_at, by = cadence.status_at, PausedBy.CADENCE
        return pause.pause(enrollment, by=by, held_at=held_at, now=self.now, cause=OPERATOR, reason="because"), None

    def _operated(
        self, enrollment: Enrollment, operation: Operation, free_from: datetime, cause: Cause, reason: str
    ) -> tuple[Decision | Left, datetime]:
        spread = Spread(free_from, WELL_APART)
        situation = operate.Situation(
            version=self.version(enrollment),
            cadence_status=self.cadences[enrollment.cadence_id].status,
            zone=self.facts(enrollment).zone(self.policy.default_time_zone),
            spread=spread,
            now=self.now,
        )
        return operate.decide(operation, enrollment, situation, cause, reason), spread.free_from


def said(outcome: Outcome) -> str:
    """`enrolled`, `already`, or the reason against it."""
    match outcome:
        case Enrolled():
            return "enrolled"
        case AlreadyEnrolled():
            return "already"
        case Refused(refusal):
            return refusal.value
