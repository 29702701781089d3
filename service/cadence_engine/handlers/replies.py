"""`message.received`: newest activity, and a reply ends what waits for one."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from cadence_contracts.inbound import MessageReceived
from cadence_engine.domain.answer import ANSWER_WITHIN, answer_to, answered
from cadence_engine.domain.cadence import CadenceVersion
from cadence_engine.domain.cancel import CancelReason, InboundMessage, cancel, is_reply
from cadence_engine.domain.contact import Contact, ContactKey
from cadence_engine.domain.decision import Decision
from cadence_engine.domain.enrollment import Enrollment, Status
from cadence_engine.domain.known import newest
from cadence_engine.handlers.apply import apply
from cadence_engine.handlers.received import Received
from cadence_engine.handlers.unpark import unpark
from cadence_engine.storage import cadences, contacts, conversations
from cadence_engine.storage.conversations import ConversationKey
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.enrollments import load


async def note_messages(unit: UnitOfWork, events: Sequence[Received[MessageReceived]]) -> None:
    """Messages of any contacts, either way; a contact that is unknown becomes a stub."""
    if not events:
        return
    locked, known = await contacts.lock_or_imagine(unit.connection, {_key(received) for received in events})
    inbound: dict[ContactKey, list[InboundMessage]] = defaultdict(list)
    seen: dict[ConversationKey, tuple[str, datetime]] = {}
    for received in events:
        event, key = received.event, _key(received)
        contact = known[key]
        if contact.forgets(received.at):
            continue
        known[key] = contact.messaged(received.at, inbound=event.is_inbound, conversation_id=event.conversation_id)
        if event.conversation_id is not None:
            conversation = (event.company_id, event.conversation_id)
            _, newest_at = seen.get(conversation, ("", received.at))
            seen[conversation] = (event.contact_id, max(newest_at, received.at))
        if event.is_inbound:
            inbound[key].append(InboundMessage(received.at, event.message_id, received.cause))
    changed = await contacts.write(unit.connection, known, locked)
    await conversations.touch(unit.connection, seen)
    replied = {key: messages for key, messages in inbound.items() if key in locked}
    parked = await _cancel_replied(unit, replied)
    await _note_answers(unit, replied, locked)
    newly_reachable = [c.key for c in changed if c.last_conversation.value != locked[c.key].last_conversation.value]
    await unpark(unit, [key for key in newly_reachable if key in parked or key not in replied])


async def _cancel_replied(unit: UnitOfWork, inbound: Mapping[ContactKey, Sequence[InboundMessage]]) -> set[ContactKey]:
    """Answers those who still have an enrollment parked."""
    live = await load.live_of(unit.connection, inbound)
    versions = await cadences.versions(unit.connection, {(e.company_id, e.cadence_id, e.version) for e in live})
    decisions: list[Decision] = []
    parked: set[ContactKey] = set()
    for enrollment in live:
        version = versions[enrollment.company_id, enrollment.cadence_id, enrollment.version]
        reply = _first_reply(enrollment, version, inbound[enrollment.contact_key])
        if reply is not None:
            decisions.append(
                cancel(enrollment, CancelReason.REPLIED, reply.cause, unit.now, message_id=reply.message_id)
            )
        elif enrollment.status is Status.PARKED:
            parked.add(enrollment.contact_key)
    await apply(unit, decisions)
    return parked


async def _note_answers(
    unit: UnitOfWork,
    inbound: Mapping[ContactKey, Sequence[InboundMessage]],
    locked: Mapping[ContactKey, Contact],
) -> None:
    """Replies to what is completed: they change nothing, and the log tells of the first one."""
    since = {
        key: newest(locked[key].last_inbound_at, min(message.at for message in messages) - ANSWER_WITHIN)
        for key, messages in inbound.items()
    }
    for enrollment in await load.completed_since(unit.connection, since):
        key = enrollment.contact_key
        message = answer_to(enrollment, inbound[key], locked[key].last_inbound_at)
        if message is not None:
            unit.log(answered(enrollment, message, unit.now))


def _first_reply(
    enrollment: Enrollment, version: CadenceVersion, messages: Sequence[InboundMessage]
) -> InboundMessage | None:
    definition = version.definition
    if not definition.cancel_on_reply:
        return None
    return next((message for message in messages if is_reply(message, enrollment, definition.reply_grace)), None)


def _key(received: Received[MessageReceived]) -> ContactKey:
    return received.event.company_id, received.event.contact_id
