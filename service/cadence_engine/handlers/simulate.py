"""What a cadence would do with a contact, step by step. Nothing is locked or written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never
from uuid import UUID

from cadence_contracts.topics import CONTACT_CREATED
from cadence_engine.domain.cadence import INACTIVITY, CadenceVersion, Definition, Scalar
from cadence_engine.domain.company import Company
from cadence_engine.domain.contact import Contact
from cadence_engine.domain.decision import Decision
from cadence_engine.domain.enroll import NOTHING, AlreadyEnrolled, EnrollRequest, Refusal, Refused, Situation
from cadence_engine.domain.enrollment import ParkReason, Status
from cadence_engine.domain.events import SEND_REQUESTED, Cause
from cadence_engine.domain.facts import Facts
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.domain.policy import Policy
from cadence_engine.domain.schedule import local, zone_of
from cadence_engine.domain.simulate import Ahead, Passage, Simulated, simulate
from cadence_engine.domain.triggers import differing
from cadence_engine.handlers.situations import gather
from cadence_engine.storage import cadences, companies, contacts, facts
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.reports import standing
from cadence_engine.storage.reports.standing import Standing

NOBODY = UUID(int=0)  # of a cadence that is not published, and of enrollments that are not made
COMPANY_OF_NOBODY = "-"


@dataclass(frozen=True, slots=True)
class Plan:
    """A version to simulate, and how its cadence stands now; None: it is none of the company's yet.

    A cadence that is paused is simulated as if it went on.
    """

    version: CadenceVersion
    standing: Standing | None

    @property
    def paused(self) -> bool:
        return self.standing is not None and self.standing.status is not CadenceStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class SimulatedStep:
    """A step when it is due. `parks`: it cannot be sent as things are, `detail` says what to mend."""

    key: str
    at: datetime
    local: datetime
    template: str
    category: str
    language: str | None
    variables: Mapping[str, str]
    parks: ParkReason | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """Of one contact. `refused`: nothing starts, by that rule; `enrolled`: it is in the cadence already.

    `completes_at` None: it does not, as a step parks; `ahead` are the steps behind that one.
    """

    contact_id: str
    zone: str
    start: datetime
    refused: Refusal | None = None
    enrolled: UUID | None = None
    steps: Sequence[SimulatedStep] = ()
    completes_at: datetime | None = None
    tags: Sequence[str] = ()
    ahead: Sequence[Ahead] = ()


async def published(connection: Connection, company_id: str, key: str) -> Plan | None:
    """The current version of the company's cadence with that key; None: it has none."""
    for each in (await standing.of_company(connection, company_id)).values():
        if each.key == key:
            return Plan((await cadences.versions(connection, [each.version_key]))[each.version_key], each)
    return None


async def proposed(connection: Connection, company_id: str, definition: Definition) -> Plan:
    """A definition as the company's next version of the cadence with its key, or as a new cadence."""
    for each in (await standing.of_company(connection, company_id)).values():
        if each.key == definition.key:
            version = CadenceVersion(company_id, each.cadence_id, each.current_version + 1, definition)
            return Plan(version, each)
    return unknown(definition, company_id)


def unknown(definition: Definition, company_id: str = COMPANY_OF_NOBODY) -> Plan:
    """A definition of no company's cadence."""
    return Plan(CadenceVersion(company_id, NOBODY, 1, definition), None)


def simulate_described(
    plan: Plan, contact: Contact, company: Company, context: Mapping[str, Scalar], start: datetime, policy: Policy
) -> Timeline:
    """For a contact that is only described; needs no database."""
    known = Facts(
        contact_id=contact.contact_id,
        name=contact.name.value,
        phone=contact.phone.value,
        locale=contact.locale.value,
        time_zone=contact.time_zone.value,
        conversation_id=contact.last_conversation.value,
        company_id=company.company_id,
        company_name=company.name.value,
        company_locale=company.locale.value,
        company_time_zone=company.time_zone.value,
    )
    zone = known.zone(policy.default_time_zone)
    found = Situation(plan.version, True, contact, False, False, None, None, zone)
    return timeline(plan, known, found, context, start, policy)


async def simulate_contacts(
    connection: Connection,
    plan: Plan,
    contact_ids: Sequence[str],
    context: Mapping[str, Scalar],
    start: datetime,
    policy: Policy,
) -> list[Timeline]:
    """For contacts of the company as they are now, in their order; unknown ones are refused."""
    company_id = plan.version.company_id
    known = await facts.of_contacts(connection, company_id, contact_ids)
    projected = await contacts.read(connection, [(company_id, contact_id) for contact_id in contact_ids])
    requests = [_request(plan, contact_id, NOTHING, start) for contact_id in contact_ids]
    current = {(company_id, plan.version.cadence_id): (plan.version, CadenceStatus.ACTIVE)}
    found = await gather(connection, requests, projected, current)
    return [
        timeline(
            plan,
            known.get(request.contact_id, Facts(request.contact_id)),
            found.situation(request, policy),
            context,
            start,
            policy,
        )
        for request in requests
    ]


async def zone_of_contact(connection: Connection, company_id: str, contact_id: str, policy: Policy) -> str:
    """The zone that its local days are counted in; the company's where the contact is unknown."""
    known = (await facts.of_contacts(connection, company_id, [contact_id])).get(contact_id)
    if known is not None:
        return known.zone(policy.default_time_zone)
    company = await company_of(connection, company_id)
    return zone_of(company.time_zone.value, policy.default_time_zone)


async def company_of(connection: Connection, company_id: str) -> Company:
    """Its settings; the defaults where nothing was heard of it yet."""
    return (await companies.load(connection, [company_id])).get(company_id) or Company(company_id)


def timeline(
    plan: Plan, known: Facts, found: Situation, context: Mapping[str, Scalar], start: datetime, policy: Policy
) -> Timeline:
    """By the rules of the consumer and the worker. `context`: what the trigger brings, beside what `where` asks for."""
    zone = known.zone(policy.default_time_zone)
    whose = Timeline(known.contact_id, zone, start)
    brought = _brought(plan.version, known, context)
    if differing(plan.version.definition.trigger, brought):
        return replace(whose, refused=Refusal.WHERE)
    trigger = plan.version.definition.trigger.event
    told = NOTHING if trigger in (CONTACT_CREATED, INACTIVITY) else brought
    simulated = simulate(_request(plan, known.contact_id, told, start), found, known, plan.version, start, policy)
    return _timeline(whose, simulated, plan.version)


def _brought(version: CadenceVersion, known: Facts, context: Mapping[str, Scalar]) -> Mapping[str, Scalar]:
    """The trigger's data: of a new contact what is known of it; else what `where` asks for first, and what is given."""
    trigger = version.definition.trigger
    if trigger.event == CONTACT_CREATED:
        return {"name": known.name, "phone": known.phone, "locale": known.locale, "timeZone": known.time_zone}
    return {**{name: allowed[0] for name, allowed in trigger.where.items()}, **context}


def _request(plan: Plan, contact_id: str, context: Mapping[str, Scalar], start: datetime) -> EnrollRequest:
    return EnrollRequest(
        company_id=plan.version.company_id,
        cadence_id=plan.version.cadence_id,
        contact_id=contact_id,
        trigger=plan.version.definition.trigger.event,
        triggered_at=start,
        cause=Cause(actor="simulation"),
        enrollment_id=NOBODY,
        context=context,
    )


def _timeline(whose: Timeline, simulated: Simulated, version: CadenceVersion) -> Timeline:
    match simulated:
        case Refused(refusal):
            return replace(whose, refused=refusal)
        case AlreadyEnrolled(enrollment_id):
            return replace(whose, enrolled=enrollment_id)
        case Passage(_, steps, ahead):
            last = steps[-1]
            return replace(
                whose,
                steps=[_step(step, version, whose.zone) for step in steps],
                completes_at=last.enrollment.ended_at,
                tags=last.tags,
                ahead=ahead,
            )
    assert_never(simulated)


def _step(decision: Decision, version: CadenceVersion, zone: str) -> SimulatedStep:
    """From what the worker would decide: the send as it would be, or why there is none."""
    before, after = decision.before, decision.enrollment
    step = None if before is None else version.step_at(before.step_index)
    if before is None or step is None or before.next_run_at is None:
        raise ValueError("only a decision about a due step has a place in a timeline")
    due = before.next_run_at
    sends = [event.data["template"] for event in decision.events if event.type == SEND_REQUESTED]
    return SimulatedStep(
        key=step.key,
        at=due,
        local=local(due, zone),
        template=step.template.id,
        category=step.template.category,
        language=sends[0]["language"] if sends else None,
        variables=sends[0]["variables"] if sends else {},
        parks=after.park_reason if after.status is Status.PARKED else None,
        detail=after.park_detail if after.status is Status.PARKED else None,
    )
