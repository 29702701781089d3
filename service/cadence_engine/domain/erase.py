"""Which passages go with a deleted contact."""

from cadence_engine.domain.cadence import UNRECORDED
from cadence_engine.domain.contact import Contact
from cadence_engine.domain.enrollment import Enrollment


def is_forgotten(contact: Contact, enrollment: Enrollment) -> bool:
    """Whether the deletion of `contact` ends and blanks a passage: one not newer than it.

    Who was enrolled by hand or by silence, and of whom nothing newer is known, was enrolled as the person that is gone.
    """
    return contact.forgets(enrollment.triggered_at) or (contact.erased and enrollment.trigger in UNRECORDED)
