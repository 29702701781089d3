"""Forgetting a person: told by `contact.deleted`, or asked for by an operator."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from uuid_utils.compat import uuid7

from cadence_contracts.inbound import ContactDeleted
from cadence_engine.domain.cancel import CancelReason, cancel
from cadence_engine.domain.contact import ContactKey
from cadence_engine.domain.erase import erased, is_forgotten
from cadence_engine.domain.events import Cause
from cadence_engine.handlers.apply import apply
from cadence_engine.handlers.received import Received
from cadence_engine.storage import contacts, erasure, settling_letters
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.enrollments import load


@dataclass(frozen=True, slots=True)
class Erased:
    """Nothing of the person is kept; what others may still hold is theirs to forget."""

    cancelled: int
    """Enrollments that this ended."""
    letters: int
    """Dead letters that named the contact, and are tombstones now."""


@dataclass(frozen=True, slots=True)
class NotFound:
    """The company has neither such a contact nor a dead letter that names one."""


Outcome = Erased | NotFound


class Deletion(NamedTuple):
    """`note` is the operator's own words; `reason` what is said of the passages that it ends."""

    key: ContactKey
    at: datetime
    cause: Cause
    note: str | None = None
    reason: CancelReason = CancelReason.CONTACT_DELETED


async def erase_contacts(unit: UnitOfWork, events: Sequence[Received[ContactDeleted]]) -> None:
    """A tombstone stays, so that what is older and arrives later is dropped; what is newer survives."""
    if events:
        await erase(unit, [_told(received) for received in events])


async def erase_contact(unit: UnitOfWork, company_id: str, contact_id: str, *, actor: str, reason: str) -> Outcome:
    """The same, of all that is known up to now. Again is fine. `reason` is the operator's own words, and kept."""
    key = (company_id, contact_id)
    named = await settling_letters.lock_naming(unit.connection, [key])
    if not named and not await contacts.lock(unit.connection, [key]):
        return NotFound()
    return await erase(unit, [Deletion(key, unit.now, Cause(actor=actor), reason)])


async def erase(unit: UnitOfWork, deletions: Sequence[Deletion]) -> Erased:
    """Forget each contact as it was known up to its deletion; end, and blank, the passages that go with it."""
    last = {deletion.key: deletion for deletion in sorted(deletions, key=lambda deletion: deletion.at)}
    await settling_letters.lock_naming(unit.connection, last)
    locked, known = await contacts.lock_or_imagine(unit.connection, last)
    for deletion in deletions:
        known[deletion.key] = known[deletion.key].erase(deletion.at)
    await contacts.write(unit.connection, known, locked)
    live = await load.live_of(unit.connection, last)
    doomed = [enrollment for enrollment in live if is_forgotten(known[enrollment.contact_key], enrollment)]
    why = {key: (deletion.reason, deletion.cause) for key, deletion in last.items()}
    await apply(unit, [cancel(e, *why[e.contact_key], unit.now) for e in doomed])
    await erasure.blank(unit.connection, list(known.values()))
    await contacts.forget_tags(unit.connection, [key for key, contact in known.items() if contact.tags_at is None])
    letters = await settling_letters.drop_erased(unit.connection, last)
    for deletion in last.values():
        unit.log(erased(*deletion.key, unit.now, deletion.cause, uuid7(), note=deletion.note))
    return Erased(cancelled=len(doomed), letters=letters)


def _told(received: Received[ContactDeleted]) -> Deletion:
    key = (received.event.company_id, received.event.contact_id)
    return Deletion(key, received.at, received.cause)
