"""`contact.created` and `contact.updated`: project, unpark what waited for it, enroll on a creation."""

from collections.abc import Collection, Mapping, Sequence

from cadence_contracts.inbound import ContactCreated, ContactUpdated
from cadence_engine.domain.contact import Contact, ContactChange, ContactKey
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.received import Received
from cadence_engine.handlers.triggers import Triggering, enroll_triggered
from cadence_engine.handlers.unpark import unpark
from cadence_engine.storage import contacts, erasure
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.erasure import Creation

PROJECTED = ("name", "phone", "locale", "time_zone")


async def project_contacts(
    unit: UnitOfWork, events: Sequence[Received[ContactCreated | ContactUpdated]], policy: Policy
) -> None:
    """Field by field the newest word wins; what is not newer than the contact's deletion is dropped."""
    if not events:
        return
    locked, known = await contacts.lock_or_imagine(unit.connection, {_key(received) for received in events})
    repeated = await _repeated(unit, events, known)
    tags: dict[ContactKey, Sequence[str]] = {}
    triggerings: list[Triggering] = []
    for received in events:
        key, at = _key(received), received.at
        contact = known[key]
        if contact.forgets(at) or (repeated and _creation(received) in repeated):
            continue
        changes = received.event.changes()
        told = contact.told(ContactChange(**{name: changes[name] for name in PROJECTED if name in changes}), at)
        if "tags" in changes and (told.tags_at is None or told.tags_at <= at):
            told = told.tagged(at)
            tags[key] = changes["tags"] or ()
        known[key] = told
        if type(received.event) is ContactCreated:
            triggerings.append(_triggering(received))
    changed = await contacts.write(unit.connection, known, locked)
    await contacts.replace_tags(unit.connection, tags)
    await unpark(unit, [contact.key for contact in changed])
    await enroll_triggered(unit, triggerings, known, policy, newcomers=known.keys() - locked.keys())


async def _repeated(
    unit: UnitOfWork,
    events: Sequence[Received[ContactCreated | ContactUpdated]],
    known: Mapping[ContactKey, Contact],
) -> Collection[Creation]:
    """Creations of deleted contacts that enrolled them once: sent again, however new the record, they are no news."""
    suspects = [
        _creation(received)
        for received in events
        if known[_key(received)].erased_at is not None and type(received.event) is ContactCreated
    ]
    return await erasure.repeated(unit.connection, set(suspects))


def _creation(received: Received[ContactCreated | ContactUpdated]) -> Creation:
    return (*_key(received), received.source, received.id)


def _key(received: Received[ContactCreated | ContactUpdated]) -> ContactKey:
    return received.event.company_id, received.event.contact_id


def _triggering(received: Received[ContactCreated | ContactUpdated]) -> Triggering:
    event = received.event
    return Triggering(
        event=received.type,
        company_id=event.company_id,
        contact_id=event.contact_id,
        at=received.at,
        cause=received.cause,
        data={"name": event.name, "phone": event.phone, "locale": event.locale, "timeZone": event.time_zone},
    )
