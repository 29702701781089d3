"""What a decision about an enrollment consists of."""

from typing import NamedTuple

from cadence_engine.domain.enrollment import Enrollment
from cadence_engine.domain.events import Event


class Decision(NamedTuple):
    """New state, what to tell about it, what it was decided on (None where it is new), and the contact's new tags."""

    enrollment: Enrollment
    events: tuple[Event, ...]
    before: Enrollment | None
    tags: tuple[str, ...] = ()

    @property
    def decided_on(self) -> int:
        """The revision that the decision was made from; 0 for a new enrollment."""
        return 0 if self.before is None else self.before.revision
