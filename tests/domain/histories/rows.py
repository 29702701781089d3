"""What the engine's tables would hold, in memory: rows, and what a decision is made on."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from cadence_engine.domain.cadence import CadenceVersion
from cadence_engine.domain.company import Company
from cadence_engine.domain.contact import Contact
from cadence_engine.domain.decision import Decision
from cadence_engine.domain.enroll import EnrollRequest, Situation
from cadence_engine.domain.enrollment import Enrollment
from cadence_engine.domain.events import Event
from cadence_engine.domain.facts import Facts
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.domain.policy import Policy
from cadence_engine.domain.reentry import LastPassage
from cadence_engine.domain.schedule import zone_of
from tests.domain.histories.passage import COMPANY

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class StaleError(Exception):
    """An enrollment was no longer at the revision that was decided on."""


@dataclass
class Cadence:
    """The row of a cadence: its versions, the last of which is current. `status_at`: since when it is as it is."""

    status_at: datetime
    free_from: datetime | None = None
    status: CadenceStatus = CadenceStatus.ACTIVE
    versions: list[CadenceVersion] = field(default_factory=list)

    @property
    def current(self) -> CadenceVersion:
        return self.versions[-1]


@dataclass
class Rows:
    """One company's rows. `now` is the database's clock; `log` holds every event in order."""

    now: datetime
    company: Company
    cadences: dict[UUID, Cadence] = field(default_factory=dict)
    contacts: dict[str, Contact] = field(default_factory=dict)
    conversations: set[str] = field(default_factory=set)
    enrollments: dict[UUID, Enrollment] = field(default_factory=dict)
    inbox: set[str] = field(default_factory=set)
    tags: dict[str, set[str]] = field(default_factory=dict)
    log: list[Event] = field(default_factory=list)
    policy: Policy = field(default_factory=Policy)

    def put(self, contact: Contact) -> None:
        if contact != self.contacts[contact.contact_id]:
            self.contacts[contact.contact_id] = contact._replace(revision=contact.revision + 1)

    def insert(self, decision: Decision) -> None:
        assert decision.decided_on == 0
        assert decision.enrollment.enrollment_id not in self.enrollments
        self._write(decision)

    def save(self, decisions: Iterable[Decision]) -> None:
        """All or, raising StaleError, none."""
        decisions = list(decisions)
        for decision in decisions:
            if self.enrollments[decision.enrollment.enrollment_id].revision != decision.decided_on:
                raise StaleError
        for decision in decisions:
            self._write(decision)

    def live_of(self, contacts: Iterable[str]) -> list[Enrollment]:
        contacts = set(contacts)
        return [e for e in self.enrollments.values() if e.contact_id in contacts and e.live]

    def version(self, enrollment: Enrollment) -> CadenceVersion:
        return self.cadences[enrollment.cadence_id].versions[enrollment.version - 1]

    def active(self, cadence_id: UUID) -> bool:
        return self.cadences[cadence_id].status is CadenceStatus.ACTIVE

    def situation(self, request: EnrollRequest) -> Situation:
        cadence = self.cadences[request.cadence_id]
        contact = self.contacts.get(request.contact_id)
        passage = (request.contact_id, request.cadence_id)
        mine = [e for e in self.enrollments.values() if (e.contact_id, e.cadence_id) == passage]
        ended = [LastPassage(e.started_at, e.ended_at) for e in mine if e.ended_at]
        return Situation(
            version=cadence.current,
            active=self.active(request.cadence_id),
            contact=contact,
            lead_known=False,
            conversation_known=request.conversation_id in self.conversations,
            live_id=next((e.enrollment_id for e in mine if e.live), None),
            last=max(ended, key=lambda last: (last.started_at, last.ended_at), default=None),
            zone=zone_of(
                contact.time_zone.value if contact else None,
                self.company.time_zone.value,
                self.policy.default_time_zone,
            ),
        )

    def facts(self, enrollment: Enrollment) -> Facts:
        contact, company = self.contacts[enrollment.contact_id], self.company
        return Facts(
            contact_id=contact.contact_id,
            name=contact.name.value,
            phone=contact.phone.value,
            time_zone=contact.time_zone.value,
            conversation_id=contact.last_conversation.value,
            company_id=COMPANY,
            company_time_zone=company.time_zone.value,
            revisions=f"{contact.revision}.{company.revision}",
        )

    def _write(self, decision: Decision) -> None:
        enrollment = decision.enrollment
        self.enrollments[enrollment.enrollment_id] = enrollment
        self.log += decision.events
        self.tags.setdefault(enrollment.contact_id, set()).update(decision.tags)


def decided(rows: Iterable[Enrollment], decide: Callable[[Enrollment], Decision]) -> list[Decision]:
    """What is decided of each row."""
    return [twice(decide, row) for row in rows]


def twice(decide: Callable[[Question], Answer], question: Question) -> Answer:
    """The answer; whoever decides once more, after a crash for one, gets the same."""
    first, again = decide(question), decide(question)
    assert first == again, "the same question got two answers"
    return first
