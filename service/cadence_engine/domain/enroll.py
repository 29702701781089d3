"""Whether a contact starts a cadence, and with which first step."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from cadence_engine.domain import schedule
from cadence_engine.domain.cadence import UNRECORDED, CadenceVersion, Scalar
from cadence_engine.domain.contact import Contact, ContactKey
from cadence_engine.domain.decision import Decision
from cadence_engine.domain.enrollment import Enrollment, Status
from cadence_engine.domain.events import STARTED, Cause, about, wire_time
from cadence_engine.domain.reentry import LastPassage, may_reenter

NOTHING: Mapping[str, Scalar] = MappingProxyType({})


class EnrollRequest(NamedTuple):
    """Somebody or something wants a contact in a cadence.

    `trigger` names what asks (`contact.created`, `inactivity`, `api`, ..), `triggered_at` when it happened: replies are
    compared with that instant, in the clock of Kafka where the trigger is a record.
    """

    company_id: str
    cadence_id: UUID
    contact_id: str
    trigger: str
    triggered_at: datetime
    cause: Cause
    enrollment_id: UUID
    lead_id: str | None = None
    conversation_id: str | None = None
    context: Mapping[str, Scalar] = NOTHING

    @property
    def contact_key(self) -> ContactKey:
        return self.company_id, self.contact_id


class Refusal(StrEnum):
    """Why an enrollment is not made; the text is what an operator reads."""

    CADENCE_NOT_FOUND = "cadence_not_found"
    CADENCE_NOT_ACTIVE = "cadence_not_active"
    CONTACT_NOT_FOUND = "contact_not_found"
    LEAD_NOT_FOUND = "lead_not_found"
    CONVERSATION_NOT_FOUND = "conversation_not_found"
    NO_FIRST_STEP = "no_first_step"
    CONTACT_ERASED = "contact_erased"
    OPTED_OUT = "opted_out"
    REPLIED = "replied"
    REENTRY = "reentry"
    WHERE = "where"

    @property
    def meaning(self) -> str:
        return _MEANING[self]


_MEANING = {
    Refusal.CADENCE_NOT_FOUND: "the company has no such cadence",
    Refusal.CADENCE_NOT_ACTIVE: "the cadence is not active: it is paused or archived",
    Refusal.CONTACT_NOT_FOUND: "the company has no such contact",
    Refusal.LEAD_NOT_FOUND: "the company has no such lead",
    Refusal.CONVERSATION_NOT_FOUND: "the company has no such conversation",
    Refusal.NO_FIRST_STEP: "the cadence has no step",
    Refusal.CONTACT_ERASED: "the contact was deleted after this happened",
    Refusal.OPTED_OUT: "the contact does not want marketing",
    Refusal.REPLIED: "the contact wrote since the trigger",
    Refusal.REENTRY: "the contact passed through this cadence before, and its re-entry rule allows no other passage",
    Refusal.WHERE: "the trigger came with other data than the cadence asks for",
}


class Situation(NamedTuple):
    """What was found about a request. `active` and `live_id` speak of the cadence and of this contact in it."""

    version: CadenceVersion | None
    active: bool
    contact: Contact | None
    lead_known: bool
    conversation_known: bool
    live_id: UUID | None
    last: LastPassage | None
    zone: str


@dataclass(frozen=True, slots=True)
class Enrolled:
    decision: Decision


@dataclass(frozen=True, slots=True)
class AlreadyEnrolled:
    enrollment_id: UUID


@dataclass(frozen=True, slots=True)
class Refused:
    refusal: Refusal


Outcome = Enrolled | AlreadyEnrolled | Refused


def decide(request: EnrollRequest, found: Situation, now: datetime) -> Outcome:
    """The four ownership checks first, in the original's order; then the contact's own will; then re-entry."""
    if found.version is None:
        return Refused(Refusal.CADENCE_NOT_FOUND)
    if not found.active:
        return Refused(Refusal.CADENCE_NOT_ACTIVE)
    contact = found.contact
    if contact is None:
        return Refused(Refusal.CONTACT_NOT_FOUND)
    if request.lead_id is not None and not found.lead_known:
        return Refused(Refusal.LEAD_NOT_FOUND)
    if request.conversation_id is not None and not found.conversation_known:
        return Refused(Refusal.CONVERSATION_NOT_FOUND)
    if found.live_id is not None:
        return AlreadyEnrolled(found.live_id)
    refusal = _unwilling(request, found, contact)
    if refusal is not None:
        return Refused(refusal)
    return Enrolled(_start(request, found.version, found.zone, now))


def _unwilling(request: EnrollRequest, found: Situation, contact: Contact) -> Refusal | None:
    if contact.forgets(request.triggered_at) or (contact.erased and request.trigger in UNRECORDED):
        return Refusal.CONTACT_ERASED
    if contact.opted_out.value:
        return Refusal.OPTED_OUT
    if found.version is None or not found.version.definition.steps:
        return Refusal.NO_FIRST_STEP
    definition = found.version.definition
    last_inbound_at = contact.last_inbound_at
    if (
        definition.cancel_on_reply
        and last_inbound_at is not None
        and last_inbound_at >= request.triggered_at + definition.reply_grace
    ):
        return Refusal.REPLIED
    if not may_reenter(
        definition.reentry, found.last, last_inbound_at=last_inbound_at, at=request.triggered_at, zone=found.zone
    ):
        return Refusal.REENTRY
    return None


def _start(request: EnrollRequest, version: CadenceVersion, zone: str, now: datetime) -> Decision:
    next_run_at = schedule.after(now, version.definition.steps[0].wait, zone)
    enrollment = Enrollment(
        company_id=request.company_id,
        enrollment_id=request.enrollment_id,
        cadence_id=request.cadence_id,
        cadence_key=version.definition.key,
        version=version.version,
        contact_id=request.contact_id,
        lead_id=request.lead_id,
        conversation_id=request.conversation_id,
        status=Status.ACTIVE,
        step_index=0,
        next_run_at=next_run_at,
        revision=1,
        trigger=request.trigger,
        triggered_at=request.triggered_at,
        started_at=now,
        context=request.context,
        traceparent=request.cause.traceparent,
    )
    started = about(
        enrollment,
        STARTED,
        now,
        request.cause,
        trigger=request.trigger,
        leadId=request.lead_id,
        conversationId=request.conversation_id,
        nextRunAt=wire_time(next_run_at),
    )
    return Decision(enrollment, (started,), before=None)
