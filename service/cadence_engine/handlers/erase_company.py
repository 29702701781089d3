"""Forgetting a company: told by `company.deleted`, or asked for by an operator.

It is halted at once. Its API keys are revoked and its contacts erased by upkeep, batch after batch: from a minute later
on, when whatever did not see the deletion has ended, so that one time through them is enough.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from uuid_utils.compat import uuid7

from cadence_contracts.inbound import CompanyDeleted
from cadence_engine.domain.cancel import CancelReason
from cadence_engine.domain.events import Cause
from cadence_engine.handlers.erase import Deletion, erase
from cadence_engine.handlers.received import Received
from cadence_engine.storage import api_keys, companies, company_erasures, halts, settling_letters
from cadence_engine.storage.company_erasures import Erasure
from cadence_engine.storage.database import UnitOfWork

LONGEST_TRANSACTION = timedelta(minutes=1)
DELETED = "the company was deleted"


@dataclass(frozen=True, slots=True)
class Begun:
    """No step of it is claimed from the commit on (`halt.claims_over` waits for those before); the rest follows."""

    erasure: Erasure


@dataclass(frozen=True, slots=True)
class UnknownCompany:
    """Nobody has told of that company."""


@dataclass(frozen=True, slots=True)
class Batch:
    """`contacts` that were erased; `finished`: nothing of the company is left to erase."""

    company_id: str
    contacts: int
    finished: bool


async def delete_companies(unit: UnitOfWork, events: Sequence[Received[CompanyDeleted]]) -> None:
    """What is not newer and arrives later is dropped; what is newer survives, and waits for `unhalt`."""
    newest = {received.event.company_id: received for received in sorted(events, key=lambda received: received.at)}
    if newest:
        await _begin(unit, [_told(received) for received in newest.values()], halted_by="company.deleted")


async def erase_company(unit: UnitOfWork, company_id: str, *, actor: str, reason: str) -> Begun | UnknownCompany:
    """The same, of all that is known up to now. Again is fine: it looks through what came since."""
    if not await companies.load(unit.connection, [company_id]):
        return UnknownCompany()
    asked = Erasure(company_id, unit.now, unit.now, None, None, actor, reason, "", None)
    await _begin(unit, [asked], halted_by=actor)
    return Begun(await company_erasures.of(unit.connection, company_id) or asked)


async def erase_next(unit: UnitOfWork, rows: int) -> Batch | None:
    """Erase up to `rows` contacts of a company that was deleted; None where nothing is to be done."""
    erasure = await company_erasures.take(unit.connection, LONGEST_TRANSACTION)
    if erasure is None:
        return None
    company_id, at = erasure.company_id, erasure.erased_at
    # Here and not at once: the API's own role, which may ask for the deletion, has no right on keys.
    await api_keys.revoke_all(unit.connection, company_id, made_until=at, at=unit.now, by=DELETED)
    contact_ids = await company_erasures.contacts_left(unit.connection, erasure, rows)
    if contact_ids:
        await erase(unit, [_deletion(erasure, contact_id) for contact_id in contact_ids])
        await company_erasures.advance(unit.connection, company_id, contact_ids[-1])
        return Batch(company_id, len(contact_ids), finished=False)
    # Letters name contacts whom nobody knows, or none at all.
    letters = await settling_letters.drop_of_company(unit.connection, company_id, at, rows)
    if letters == 0:
        await company_erasures.finish(unit.connection, company_id)
    return Batch(company_id, 0, finished=letters == 0)


async def _begin(unit: UnitOfWork, asked: Sequence[Erasure], *, halted_by: str) -> None:
    known = await companies.lock(unit.connection, {each.company_id for each in asked})
    begun = await company_erasures.begin(unit.connection, asked)
    await companies.save(unit.connection, [known[company_id].forget(at) for company_id, at in begun.items()])
    await halts.begin_all(unit.connection, [(uuid7(), company_id, halted_by, DELETED) for company_id in sorted(begun)])


def _told(received: Received[CompanyDeleted]) -> Erasure:
    at = received.at
    return Erasure(received.event.company_id, at, at, received.source, received.id, None, None, "", None)


def _deletion(erasure: Erasure, contact_id: str) -> Deletion:
    return Deletion(
        key=(erasure.company_id, contact_id),
        at=erasure.erased_at,
        cause=Cause(source=erasure.source, id=erasure.event_id, actor=erasure.actor),
        note=erasure.reason,
        reason=CancelReason.COMPANY_DELETED,
    )
