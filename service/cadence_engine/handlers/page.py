"""Everything about one polled page, in one transaction: offsets, dead letters, inbox, effects."""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Any, TypeVar, cast
from uuid import NAMESPACE_URL, uuid5

from cadence_contracts.inbound import (
    AnyInbound,
    CompanyDeleted,
    CompanyUpdated,
    ContactCreated,
    ContactDeleted,
    ContactPreferencesChanged,
    ContactUpdated,
    EnrollmentCancelRequested,
    EnrollmentRequested,
    GenericTrigger,
    Inbound,
    LeadCreated,
    MessageReceived,
    PurchaseCompleted,
)
from cadence_engine.domain.events import DEAD_LETTER, Event
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.companies import project_companies
from cadence_engine.handlers.contacts import project_contacts
from cadence_engine.handlers.erase import erase_contacts
from cadence_engine.handlers.erase_company import delete_companies
from cadence_engine.handlers.leads import project_leads
from cadence_engine.handlers.preferences import note_preferences
from cadence_engine.handlers.received import DeadLetter, Page, Received
from cadence_engine.handlers.replies import note_messages
from cadence_engine.handlers.requested import cancel_requested, enroll_requested
from cadence_engine.handlers.trigger_events import enroll_on
from cadence_engine.storage import company_erasures, dead_letters, inbox, progress, settling_letters
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.inbox import EventKey

M = TypeVar("M", bound=Inbound)

STOPPING = frozenset({CompanyDeleted, ContactDeleted, ContactPreferencesChanged})


@dataclass(frozen=True, slots=True)
class PageCounts:
    """How many records were applied, had been seen before, or became dead letters."""

    applied: int
    seen: int
    dead: int


async def apply_page(unit: UnitOfWork, page: Page, policy: Policy) -> PageCounts:
    """Apply what of the page is new, in its order. Raises storage.progress.Rewound if the database was rolled back."""
    await progress.advance(unit.connection, page.spans)
    dead = await dead_letters.insert(unit.connection, page.dead_letters)
    await settling_letters.drop_erased(unit.connection, {key for letter in dead if (key := letter.contact_key)})
    unit.log(*map(_dead_letter, dead))
    new = await _not_forgotten(unit, await _new(unit, page.received))
    # A page comes from one topic, so in practice one of these has something to do.
    kinds = {type(record.event) for record in new}
    await project_companies(unit, _of(new, kinds, CompanyUpdated))
    await delete_companies(unit, _of(new, kinds, CompanyDeleted))
    await project_contacts(unit, _of(new, kinds, ContactCreated, ContactUpdated), policy)
    await note_messages(unit, _of(new, kinds, MessageReceived))
    await note_preferences(unit, _of(new, kinds, ContactPreferencesChanged))
    await erase_contacts(unit, _of(new, kinds, ContactDeleted))
    await project_leads(unit, _of(new, kinds, LeadCreated), policy)
    await enroll_requested(unit, _of(new, kinds, EnrollmentRequested), policy)
    await cancel_requested(unit, _of(new, kinds, EnrollmentCancelRequested))
    await enroll_on(unit, _of(new, kinds, GenericTrigger, PurchaseCompleted), policy)
    return PageCounts(applied=len(new), seen=len(page.received) - len(new), dead=len(dead))


async def _new(unit: UnitOfWork, received: Iterable[Received[AnyInbound]]) -> Sequence[Received[AnyInbound]]:
    first: dict[EventKey, Received[AnyInbound]] = {}
    for record in received:
        first.setdefault((record.source, record.id), record)
    new = await inbox.record(unit.connection, first.keys())
    return [record for key, record in first.items() if key in new]


async def _not_forgotten(unit: UnitOfWork, records: Sequence[Received[AnyInbound]]) -> Sequence[Received[AnyInbound]]:
    """Without what is not newer than its company's deletion; what can only stop or forget is applied all the same."""
    forgotten = await company_erasures.erased_at(unit.connection, {record.event.company_id for record in records})
    if not forgotten:
        return records
    return [
        record
        for record in records
        if type(record.event) in STOPPING
        or record.event.company_id not in forgotten
        or record.at > forgotten[record.event.company_id]
    ]


def _of(records: Iterable[Received[Any]], kinds: Set[type[Inbound]], *models: type[M]) -> list[Received[M]]:
    """Those with an event of these models, in their order; `kinds` are all that there are among the records."""
    if kinds.isdisjoint(models):
        return []
    # By the very class: isinstance() of pydantic's models is dear, and there are many to ask.
    return [cast("Received[M]", record) for record in records if type(record.event) in models]


def _dead_letter(letter: DeadLetter) -> Event:
    position = {"topic": letter.topic, "partition": letter.partition, "offset": letter.offset}
    return Event(
        type=DEAD_LETTER,
        event_id=uuid5(NAMESPACE_URL, f"{letter.topic}/{letter.partition}/{letter.offset}"),
        company_id=letter.company_id,
        contact_id=letter.contact_id,
        enrollment_id=None,
        revision=None,
        data=position,
    )
