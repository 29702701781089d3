"""Where a look for due steps begins, and how often it begins with what has long been due."""

from datetime import datetime
from typing import Final

EVERY: Final = 1.0  # seconds
RARELY: Final = 60.0  # seconds: where that is not rare enough, looking back takes more than its share
SHARE: Final = 20
"""Going through what has long been due takes a twentieth of the time."""


class LookBack:
    """From where on one worker looks for due steps.

    While somebody holds an old transaction open, PostgreSQL keeps an index entry of every step that has run since, and
    a look from the beginning goes through all of them: 150 ms for a million (measured). So a look begins where the one
    before it ended. What is due earlier all the same, as it was held by another worker, resumed or halted, is looked
    for every second, or more rarely where that takes long.

    Times without a date are seconds by a clock that only goes forward.
    """

    def __init__(self) -> None:
        self._reached: datetime | None = None
        self._again_at = 0.0

    def since(self, now: float) -> datetime | None:
        """When that which is looked for now was due, at the earliest; None: ever."""
        return self._reached if now < self._again_at else None

    def looked(self, since: datetime | None, reached: datetime | None, *, took: float, now: float) -> None:
        """A look has just ended. `reached`: up to then nothing is left that anybody could have claimed, if known."""
        if since is None:
            self._again_at = now + min(RARELY, max(EVERY, SHARE * took))
            self._reached = reached or self._reached
        elif reached is not None:
            self._reached = max(since, reached)

    def gave_up(self, *, now: float) -> None:
        """A look took longer than a statement may: what was due later is looked for first, for a while."""
        self._again_at = now + RARELY
