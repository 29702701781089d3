"""An operator ends an enrollment."""

from dataclasses import dataclass
from uuid import UUID

from cadence_engine.domain.cancel import CancelReason, cancel
from cadence_engine.domain.enrollment import Enrollment, Status
from cadence_engine.domain.events import Cause
from cadence_engine.handlers.apply import apply
from cadence_engine.storage import contacts
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.enrollments import load


@dataclass(frozen=True, slots=True)
class Cancelled:
    """It is cancelled now, or was before: asking again is fine."""

    enrollment: Enrollment


@dataclass(frozen=True, slots=True)
class NotFound:
    """The company has no such enrollment."""


@dataclass(frozen=True, slots=True)
class AlreadyCompleted:
    """It has run to its end: there is nothing left to cancel."""

    enrollment: Enrollment


Outcome = Cancelled | NotFound | AlreadyCompleted


async def cancel_enrollment(
    unit: UnitOfWork, company_id: str, enrollment_id: UUID, *, actor: str, reason: str | None
) -> Outcome:
    """Cancel one enrollment of the company. `reason` is the operator's own words, told as the event's `note`."""
    found = await load.one(unit.connection, company_id, enrollment_id)
    if found is None:
        return NotFound()
    await contacts.lock(unit.connection, [found.contact_key])
    live = {e.enrollment_id: e for e in await load.live_of(unit.connection, [found.contact_key])}
    enrollment = live.get(enrollment_id)
    if enrollment is None:
        ended = await load.one(unit.connection, company_id, enrollment_id) or found
        return AlreadyCompleted(ended) if ended.status is Status.COMPLETED else Cancelled(ended)
    decision = cancel(enrollment, CancelReason.OPERATOR, Cause(actor=actor), unit.now, note=reason)
    await apply(unit, [decision])
    return Cancelled(decision.enrollment)
