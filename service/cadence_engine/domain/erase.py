"""Which passages go with a deleted contact, and what is told of the deletion."""

from datetime import datetime
from uuid import UUID

from cadence_engine.domain.cadence import UNRECORDED
from cadence_engine.domain.contact import Contact
from cadence_engine.domain.enrollment import Enrollment
from cadence_engine.domain.events import ERASED, Cause, Event, wire_time


def is_forgotten(contact: Contact, enrollment: Enrollment) -> bool:
    """Whether the deletion of `contact` ends and blanks a passage: one not newer than it.

    Who was enrolled by hand or by silence, and of whom nothing newer is known, was enrolled as the person that is gone.
    """
    return contact.forgets(enrollment.triggered_at) or (contact.erased and enrollment.trigger in UNRECORDED)


def erased(company_id: str, contact_id: str, at: datetime, cause: Cause, id_: UUID, *, note: str | None) -> Event:
    """For those who ask when and why a contact was forgotten; `note` is the operator's own words."""
    told = {"companyId": company_id, "contactId": contact_id, "at": wire_time(at), "cause": cause.wire(), "note": note}
    return Event(ERASED, id_, company_id, contact_id, enrollment_id=None, revision=None, data=told)
