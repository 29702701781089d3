"""`lead.created`: known for the ownership check; a trigger when it names a contact."""

from collections.abc import Sequence

from cadence_contracts.inbound import LeadCreated
from cadence_engine.domain.known import Known
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.received import Received
from cadence_engine.handlers.triggers import Triggering, enroll_triggered, lock_mentioned
from cadence_engine.storage import companies, leads
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.leads import Lead

PROJECTED = ("board_id", "contact_id")


async def project_leads(unit: UnitOfWork, events: Sequence[Received[LeadCreated]], policy: Policy) -> None:
    """The contact of a lead becomes a stub where it is unknown, or was deleted before."""
    if not events:
        return
    named = [_triggering(received, contact_id) for received in events if (contact_id := received.event.contact_id)]
    await companies.ensure(unit.connection, {received.event.company_id for received in events})
    locked = await lock_mentioned(unit, named)
    await leads.project(unit.connection, [_lead(received) for received in events])
    await enroll_triggered(unit, named, locked, policy)


def _lead(received: Received[LeadCreated]) -> Lead:
    event = received.event
    told = {name: Known(value, received.at) for name, value in event.changes().items() if name in PROJECTED}
    return Lead(event.company_id, event.lead_id, **told)


def _triggering(received: Received[LeadCreated], contact_id: str) -> Triggering:
    event = received.event
    data = {"leadId": event.lead_id, "boardId": event.board_id}
    return Triggering(
        event=received.type,
        company_id=event.company_id,
        contact_id=contact_id,
        at=received.at,
        cause=received.cause,
        data=data,
        context=data,
        lead_id=event.lead_id,
    )
