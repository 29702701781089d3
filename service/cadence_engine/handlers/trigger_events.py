"""`purchase.completed` and the further trigger topics: events that only enroll."""

from collections.abc import Sequence

from cadence_contracts.inbound import GenericTrigger
from cadence_engine.domain.events import Cause
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.received import Received
from cadence_engine.handlers.triggers import Triggering, enroll_triggered
from cadence_engine.storage import contacts
from cadence_engine.storage.database import UnitOfWork


async def enroll_on(unit: UnitOfWork, events: Sequence[Received[GenericTrigger]], policy: Policy) -> None:
    """An event that comes before its contact enrolls a stub; the step parks until the contact is known."""
    if not events:
        return
    keys = {(received.event.company_id, received.event.contact_id) for received in events}
    locked = await contacts.lock_or_add(unit.connection, keys)
    await enroll_triggered(unit, [_triggering(received) for received in events], locked, policy)


def _triggering(received: Received[GenericTrigger]) -> Triggering:
    event = received.event
    context = event.context
    return Triggering(
        event=received.type,
        company_id=event.company_id,
        contact_id=event.contact_id,
        at=received.at,
        cause=Cause(source=received.source, id=received.id),
        data=context,
        context=context,
        lead_id=event.lead_id,
        conversation_id=event.conversation_id,
    )
