"""Enrolling: any number of contacts in any of their companies' cadences, in one transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from uuid_utils.compat import uuid7

from cadence_engine.domain import enroll as rule
from cadence_engine.domain.cadence import CadenceVersion
from cadence_engine.domain.company import Company
from cadence_engine.domain.contact import Contact, ContactKey
from cadence_engine.domain.enroll import AlreadyEnrolled, Enrolled, EnrollRequest, Outcome, Refused, Situation
from cadence_engine.domain.events import REFUSED, Event, wire_time
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.domain.policy import Policy
from cadence_engine.domain.reentry import LastPassage
from cadence_engine.domain.schedule import zone_of
from cadence_engine.storage import cadences, companies, contacts, conversations, leads
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.enrollments import load, save
from cadence_engine.storage.enrollments.load import PassageKey

CadenceKey = tuple[str, UUID]
"""(company id, cadence id)"""


async def enroll(unit: UnitOfWork, requests: Sequence[EnrollRequest], policy: Policy) -> list[Outcome]:
    """Decide every request, in order, and write what came of it; one outcome per request.

    Race-proof: contacts and cadences are locked before anything about them is read.
    """
    locked = await contacts.lock(unit.connection, {request.contact_key for request in requests})
    return await enroll_locked(unit, requests, locked, policy)


async def enroll_locked(
    unit: UnitOfWork,
    requests: Sequence[EnrollRequest],
    locked: Mapping[ContactKey, Contact],
    policy: Policy,
    *,
    newcomers: Collection[ContactKey] = (),
    at_most: int | None = None,
    log_refusals: bool = True,
) -> list[Outcome]:
    """The same for those who have locked the contacts. `at_most`: stop after that many new enrollments.

    `newcomers`: contacts that this transaction has added, so that nothing of theirs can be there.
    """
    if not requests:
        return []
    found = await _gather(unit.connection, requests, locked, newcomers)
    outcomes: list[Outcome] = []
    started = 0
    for request in requests:
        if at_most is not None and started >= at_most:
            break
        outcome = rule.decide(request, found.situation(request, policy), unit.now)
        if isinstance(outcome, Enrolled):
            started += 1
            found.live[_passage(request)] = request.enrollment_id
        outcomes.append(outcome)
    await _apply(unit, requests, outcomes, found, log_refusals=log_refusals)
    return outcomes


@dataclass(slots=True)
class _Found:
    """Everything that the requests of one transaction are decided on; `live` grows while they are."""

    contacts: Mapping[ContactKey, Contact]
    companies: Mapping[str, Company]
    cadences: Mapping[CadenceKey, tuple[CadenceVersion, CadenceStatus]]
    leads: Collection[tuple[str, str]]
    conversations: Collection[tuple[str, str]]
    live: dict[PassageKey, UUID]
    last: Mapping[PassageKey, LastPassage]

    def situation(self, request: EnrollRequest, policy: Policy) -> Situation:
        version, status = self.cadences.get((request.company_id, request.cadence_id), (None, None))
        contact = self.contacts.get(request.contact_key)
        company = self.companies.get(request.company_id)
        passage = _passage(request)
        return Situation(
            version=version,
            active=status is CadenceStatus.ACTIVE,
            contact=contact,
            lead_known=(request.company_id, request.lead_id) in self.leads,
            conversation_known=(request.company_id, request.conversation_id) in self.conversations,
            live_id=self.live.get(passage),
            last=self.last.get(passage),
            zone=zone_of(
                contact.time_zone.value if contact else None,
                company.time_zone.value if company else None,
                policy.default_time_zone,
            ),
        )


async def _gather(
    connection: Connection,
    requests: Sequence[EnrollRequest],
    locked: Mapping[ContactKey, Contact],
    newcomers: Collection[ContactKey],
) -> _Found:
    company_ids = {request.company_id for request in requests}
    passages = {_passage(request) for request in requests if request.contact_key not in newcomers}
    return _Found(
        contacts=locked,
        companies=await companies.load(connection, company_ids),
        cadences=await cadences.current(connection, {(request.company_id, request.cadence_id) for request in requests}),
        leads=await leads.known(connection, {(r.company_id, r.lead_id) for r in requests if r.lead_id is not None}),
        conversations=await conversations.known(
            connection, {(r.company_id, r.conversation_id) for r in requests if r.conversation_id is not None}
        ),
        live=await load.live_passages(connection, {passage[:2] for passage in passages}),
        last=await load.last_passages(connection, passages),
    )


async def _apply(
    unit: UnitOfWork,
    requests: Iterable[EnrollRequest],
    outcomes: Iterable[Outcome],
    found: _Found,
    *,
    log_refusals: bool,
) -> None:
    started = []
    for request, outcome in zip(requests, outcomes, strict=False):
        match outcome:
            case Enrolled(decision):
                started.append(decision.enrollment)
                unit.log(*decision.events)
                if decision.enrollment.next_run_at is not None:
                    unit.wake(decision.enrollment.next_run_at)
            case Refused() if log_refusals:
                unit.log(_refused(request, outcome, found, unit))
            case AlreadyEnrolled() | Refused():
                pass
    await save.insert(unit.connection, started)


def _refused(request: EnrollRequest, refused: Refused, found: _Found, unit: UnitOfWork) -> Event:
    version, _ = found.cadences.get((request.company_id, request.cadence_id), (None, None))
    return Event(
        type=REFUSED,
        event_id=uuid7(),
        company_id=request.company_id,
        contact_id=request.contact_id,
        enrollment_id=None,
        revision=None,
        data={
            "companyId": request.company_id,
            "contactId": request.contact_id,
            "cadenceId": str(request.cadence_id),
            "cadenceKey": version and version.definition.key,
            "trigger": request.trigger,
            "reason": refused.refusal.value,
            "at": wire_time(unit.now),
            "cause": request.cause.wire(),
        },
    )


def _passage(request: EnrollRequest) -> PassageKey:
    return request.company_id, request.contact_id, request.cadence_id
