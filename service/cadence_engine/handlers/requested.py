"""`enrollment.requested`, `enrollment.cancel.requested`: what an operator does by hand, asked for by a service."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from cadence_contracts.inbound import EnrollmentCancelRequested, EnrollmentRequested
from cadence_engine.domain.cancel import CancelReason, cancel
from cadence_engine.domain.contact import ContactKey
from cadence_engine.domain.decision import Decision
from cadence_engine.domain.enroll import NOTHING, EnrollRequest
from cadence_engine.domain.enrollment import Enrollment
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.apply import apply
from cadence_engine.handlers.enroll import enroll_locked
from cadence_engine.handlers.received import Received
from cadence_engine.handlers.refusals import no_such_cadence
from cadence_engine.storage import cadences, contacts, conversations, leads
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.enrollments import load


async def enroll_requested(unit: UnitOfWork, events: Sequence[Received[EnrollmentRequested]], policy: Policy) -> None:
    """An event that comes before its contact enrolls a stub, as a trigger does; who is refused is in the log.

    A lead or conversation that is unknown may only not have arrived yet: it is left out, not refused.
    """
    if not events:
        return
    mentions: dict[ContactKey, datetime] = {}
    for each in events:
        mentions[_key(each)] = max(mentions.get(_key(each), each.at), each.at)
    locked = await contacts.lock_mentioned(unit.connection, mentions)
    cadence_ids = await cadences.ids_of(unit.connection, {(e.event.company_id, e.event.cadence_key) for e in events})
    known_leads = await leads.known(
        unit.connection, {(e.event.company_id, e.event.lead_id) for e in events if e.event.lead_id}
    )
    known_conversations = await conversations.known(
        unit.connection, {(e.event.company_id, e.event.conversation_id) for e in events if e.event.conversation_id}
    )
    requests = []
    for each in events:
        cadence_id = cadence_ids.get((each.event.company_id, each.event.cadence_key))
        if cadence_id is None:
            unit.log(no_such_cadence(*_key(each), each.event.cadence_key, each.type, each.cause, unit.now))
        else:
            requests.append(_request(each, cadence_id, known_leads, known_conversations))
    await enroll_locked(unit, requests, locked, policy)


async def cancel_requested(unit: UnitOfWork, events: Sequence[Received[EnrollmentCancelRequested]]) -> None:
    """End what is live of these contacts and meant by one of the events; an unknown contact has nothing to end."""
    if not events:
        return
    by_contact: dict[ContactKey, list[Received[EnrollmentCancelRequested]]] = defaultdict(list)
    for each in events:
        by_contact[_key(each)].append(each)
    locked = await contacts.lock(unit.connection, by_contact)
    decisions: list[Decision] = []
    for enrollment in await load.live_of(unit.connection, locked):
        meant = next((each for each in by_contact[enrollment.contact_key] if _means(each, enrollment)), None)
        if meant is not None:
            note = meant.event.reason
            decisions.append(cancel(enrollment, CancelReason.REQUESTED, meant.cause, unit.now, note=note))
    await apply(unit, decisions)


def _means(received: Received[EnrollmentCancelRequested], enrollment: Enrollment) -> bool:
    """Topics have no order among each other: a passage that began after the request is not meant, unless named."""
    event = received.event
    if event.cadence_key is not None and event.cadence_key != enrollment.cadence_key:
        return False
    if event.enrollment_id is not None:
        return event.enrollment_id == enrollment.enrollment_id
    return enrollment.triggered_at <= received.at


def _request(
    received: Received[EnrollmentRequested],
    cadence_id: UUID,
    known_leads: Collection[tuple[str, str]],
    known_conversations: Collection[tuple[str, str]],
) -> EnrollRequest:
    event = received.event
    return EnrollRequest(
        company_id=event.company_id,
        cadence_id=cadence_id,
        contact_id=event.contact_id,
        trigger=received.type,
        triggered_at=received.at,
        cause=received.cause,
        enrollment_id=uuid7(),
        lead_id=event.lead_id if (event.company_id, event.lead_id) in known_leads else None,
        conversation_id=event.conversation_id
        if (event.company_id, event.conversation_id) in known_conversations
        else None,
        context=event.context or NOTHING,
    )


def _key(received: Received[EnrollmentRequested] | Received[EnrollmentCancelRequested]) -> ContactKey:
    return received.event.company_id, received.event.contact_id
