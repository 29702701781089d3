"""`contact.deleted`: cancel, and forget the person."""

from collections.abc import Sequence

from cadence_contracts.inbound import ContactDeleted
from cadence_engine.domain.cancel import CancelReason, cancel
from cadence_engine.domain.contact import ContactKey
from cadence_engine.domain.erase import is_forgotten
from cadence_engine.domain.events import Cause
from cadence_engine.handlers.apply import apply
from cadence_engine.handlers.received import Received
from cadence_engine.storage import contacts, erasure
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.enrollments import load


async def erase_contacts(unit: UnitOfWork, events: Sequence[Received[ContactDeleted]]) -> None:
    """A tombstone stays, so that what is older and arrives later is dropped; what is newer survives."""
    if not events:
        return
    locked, known = await contacts.lock_or_imagine(unit.connection, {_key(received) for received in events})
    causes: dict[ContactKey, Cause] = {}
    for received in events:
        key = _key(received)
        known[key] = known[key].erase(received.at)
        causes[key] = Cause(source=received.source, id=received.id)
    await contacts.write(unit.connection, known, locked)
    live = await load.live_of(unit.connection, causes)
    doomed = [enrollment for enrollment in live if is_forgotten(known[enrollment.contact_key], enrollment)]
    await apply(unit, [cancel(e, CancelReason.CONTACT_DELETED, causes[e.contact_key], unit.now) for e in doomed])
    await erasure.blank(unit.connection, list(known.values()))
    await contacts.forget_tags(unit.connection, [key for key, contact in known.items() if contact.tags_at is None])


def _key(received: Received[ContactDeleted]) -> ContactKey:
    return received.event.company_id, received.event.contact_id
