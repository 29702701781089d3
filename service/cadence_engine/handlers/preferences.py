"""`contact.preferences.changed`: no marketing from now on, or marketing again."""

from collections.abc import Sequence

from cadence_contracts.inbound import ContactPreferencesChanged
from cadence_engine.domain.cancel import CancelReason, cancel
from cadence_engine.domain.contact import ContactKey
from cadence_engine.domain.events import Cause
from cadence_engine.handlers.apply import apply
from cadence_engine.handlers.received import Received
from cadence_engine.storage import contacts
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.enrollments import load


async def note_preferences(unit: UnitOfWork, events: Sequence[Received[ContactPreferencesChanged]]) -> None:
    """The newest preference counts; a `stop` that counts cancels whatever is live, also if a `resume` follows it."""
    if not events:
        return
    locked, known = await contacts.lock_or_imagine(unit.connection, {_key(received) for received in events})
    stopped: dict[ContactKey, Cause] = {}
    for received in events:
        key = _key(received)
        stop = received.event.marketing == "stop"
        told = known[key].prefers(stop=stop, at=received.at)
        known[key] = told
        if stop and told.opted_out.value:
            stopped.setdefault(key, received.cause)
    await contacts.write(unit.connection, known, locked)
    live = await load.live_of(unit.connection, stopped)
    await apply(unit, [cancel(e, CancelReason.OPTED_OUT, stopped[e.contact_key], unit.now) for e in live])


def _key(received: Received[ContactPreferencesChanged]) -> ContactKey:
    return received.event.company_id, received.event.contact_id
