"""From an event that names a contact to the enrollments that it starts."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from uuid_utils.compat import uuid7

from cadence_engine.domain.cadence import CadenceVersion, Scalar
from cadence_engine.domain.contact import Contact, ContactKey
from cadence_engine.domain.enroll import NOTHING, EnrollRequest, Outcome
from cadence_engine.domain.events import Cause
from cadence_engine.domain.policy import Policy
from cadence_engine.domain.triggers import differing
from cadence_engine.handlers.enroll import enroll_locked
from cadence_engine.handlers.refusals import Differing, unmatched
from cadence_engine.storage import cadences, contacts
from cadence_engine.storage.database import UnitOfWork


class Triggering(NamedTuple):
    """An event that may enroll a contact. `data` is what `where` looks at; `context` what templates may use."""

    event: str
    company_id: str
    contact_id: str
    at: datetime
    cause: Cause
    data: Mapping[str, Scalar]
    context: Mapping[str, Scalar] = NOTHING
    lead_id: str | None = None
    conversation_id: str | None = None


async def enroll_triggered(
    unit: UnitOfWork,
    triggerings: Sequence[Triggering],
    locked: Mapping[ContactKey, Contact],
    policy: Policy,
    *,
    newcomers: Collection[ContactKey] = (),
) -> list[Outcome]:
    """Enroll in every cadence that waits for such an event; the contacts are locked. Who is refused is in the log.

    `newcomers`: those of them that nobody knew before this transaction.
    """
    waiting = await _waiting(unit, triggerings)
    requests: list[EnrollRequest] = []
    for triggering in triggerings:
        differing_cadences: list[Differing] = []
        for cadence in waiting[triggering.company_id, triggering.event]:
            if fields := differing(cadence.definition.trigger, triggering.data):
                differing_cadences.append((cadence, fields))
            else:
                requests.append(_request(triggering, cadence))
        if differing_cadences:
            who, what = (triggering.company_id, triggering.contact_id), (triggering.event, triggering.cause)
            unit.log(unmatched(*who, *what, differing_cadences, unit.now))
    return await enroll_locked(unit, requests, locked, policy, newcomers=newcomers)


async def lock_mentioned(unit: UnitOfWork, triggerings: Sequence[Triggering]) -> dict[ContactKey, Contact]:
    """The contacts that events name, locked; an unknown one, or one that was deleted before, is a stub from now on."""
    mentions: dict[ContactKey, datetime] = {}
    for each in triggerings:
        key = (each.company_id, each.contact_id)
        mentions[key] = max(mentions.get(key, each.at), each.at)
    return await contacts.lock_mentioned(unit.connection, mentions)


async def _waiting(
    unit: UnitOfWork, triggerings: Sequence[Triggering]
) -> Mapping[tuple[str, str], Sequence[CadenceVersion]]:
    companies_of: dict[str, set[str]] = defaultdict(set)
    for triggering in triggerings:
        companies_of[triggering.event].add(triggering.company_id)
    waiting: dict[tuple[str, str], list[CadenceVersion]] = defaultdict(list)
    for event, company_ids in sorted(companies_of.items()):
        for cadence in await cadences.triggered_by(unit.connection, company_ids, event):
            waiting[cadence.company_id, event].append(cadence)
    return waiting


def _request(triggering: Triggering, cadence: CadenceVersion) -> EnrollRequest:
    return EnrollRequest(
        company_id=triggering.company_id,
        cadence_id=cadence.cadence_id,
        contact_id=triggering.contact_id,
        trigger=triggering.event,
        triggered_at=triggering.at,
        cause=triggering.cause,
        enrollment_id=uuid7(),
        lead_id=triggering.lead_id,
        conversation_id=triggering.conversation_id,
        context=triggering.context,
    )
