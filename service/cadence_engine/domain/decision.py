"""What a decision about an enrollment consists of."""

from typing import NamedTuple

from cadence_engine.domain.enrollment import Enrollment
from cadence_engine.domain.events import Event


class Decision(NamedTuple):
    """New state, what to tell about it, and the tags that it puts on the contact.

    `decided_on` is the revision that the decision was made from; 0 for a new enrollment.
    """

    enrollment: Enrollment
    events: tuple[Event, ...]
    decided_on: int
    tags: tuple[str, ...] = ()
