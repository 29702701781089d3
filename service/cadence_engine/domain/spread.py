"""What is overdue, one after the other: going on is never a burst."""

from datetime import datetime, timedelta

WELL_APART = timedelta(seconds=0.1)


class Spread:
    """Moments from `first` on, each `apart` of the one before. `free_from` is the next one that nobody has taken."""

    def __init__(self, first: datetime, apart: timedelta) -> None:
        self.free_from = first
        self._apart = apart

    def take(self) -> datetime:
        """The next moment, for the caller alone."""
        taken = self.free_from
        self.free_from += self._apart
        return taken
