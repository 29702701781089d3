"""Enrolling whom somebody asks for, by the key of the cadence."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from cadence_engine.domain.cadence import API, Scalar
from cadence_engine.domain.enroll import NOTHING, EnrollRequest, Outcome
from cadence_engine.domain.events import Cause
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.enroll import enroll
from cadence_engine.storage import cadences
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.origin import TRACEPARENT


class Candidate(NamedTuple):
    """Who is to be enrolled, and with what."""

    contact_id: str
    lead_id: str | None = None
    conversation_id: str | None = None
    context: Mapping[str, Scalar] = NOTHING


@dataclass(frozen=True, slots=True)
class UnknownCadence:
    """The company has no cadence with that key; it has these."""

    known: Mapping[str, UUID]


def request_of(
    candidate: Candidate,
    company_id: str,
    cadence_id: UUID,
    *,
    actor: str,
    now: datetime,
    traceparent: str | None = None,
) -> EnrollRequest:
    """What `actor` asks for; `now` is when, by the database's clock. `traceparent`: in which trace."""
    return EnrollRequest(
        company_id=company_id,
        cadence_id=cadence_id,
        contact_id=candidate.contact_id,
        trigger=API,
        triggered_at=now,
        cause=Cause(actor=actor, traceparent=traceparent),
        enrollment_id=uuid7(),
        lead_id=candidate.lead_id,
        conversation_id=candidate.conversation_id,
        context=candidate.context,
    )


async def enroll_asked(
    unit: UnitOfWork, company_id: str, cadence_key: str, candidate: Candidate, policy: Policy, *, actor: str
) -> Outcome | UnknownCadence:
    """Enroll one contact of the company, as `actor` asks."""
    # Read, not locked: contacts are locked before cadences, and `enroll` does both.
    known = await cadences.keys_of(unit.connection, company_id)
    if cadence_key not in known:
        return UnknownCadence(known)
    request = request_of(
        candidate, company_id, known[cadence_key], actor=actor, now=unit.now, traceparent=TRACEPARENT.get()
    )
    return (await enroll(unit, [request], policy))[0]
