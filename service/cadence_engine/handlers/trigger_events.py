"""`purchase.completed` and the further trigger topics: events that only enroll."""

from collections.abc import Collection, Sequence

from cadence_contracts.inbound import GenericTrigger
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.received import Received
from cadence_engine.handlers.triggers import Triggering, enroll_triggered, lock_mentioned
from cadence_engine.storage import conversations, leads
from cadence_engine.storage.database import UnitOfWork


async def enroll_on(unit: UnitOfWork, events: Sequence[Received[GenericTrigger]], policy: Policy) -> None:
    """An event that comes before its contact enrolls a stub; the step parks until the contact is known.

    A `leadId` or `conversationId` in the data is context as everything else there. If it is known to the company the
    enrollment refers to it; if not, it may only not have arrived yet, and refusing would lose the enrollment.
    """
    if not events:
        return
    triggerings = [_triggering(received) for received in events]
    locked = await lock_mentioned(unit, triggerings)
    known_leads = await leads.known(unit.connection, _named(triggerings, "leadId"))
    known_conversations = await conversations.known(unit.connection, _named(triggerings, "conversationId"))
    linked = [
        each._replace(
            lead_id=_linked(each, "leadId", known_leads),
            conversation_id=_linked(each, "conversationId", known_conversations),
        )
        for each in triggerings
    ]
    await enroll_triggered(unit, linked, locked, policy)


def _named(triggerings: Sequence[Triggering], field: str) -> set[tuple[str, str]]:
    return {(each.company_id, value) for each in triggerings if isinstance(value := each.context.get(field), str)}


def _linked(triggering: Triggering, field: str, known: Collection[tuple[str, str]]) -> str | None:
    value = triggering.context.get(field)
    return value if isinstance(value, str) and (triggering.company_id, value) in known else None


def _triggering(received: Received[GenericTrigger]) -> Triggering:
    event = received.event
    context = event.context
    return Triggering(
        event=received.type,
        company_id=event.company_id,
        contact_id=event.contact_id,
        at=received.at,
        cause=received.cause,
        data=context,
        context=context,
    )
