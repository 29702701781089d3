"""From when on the log is kept."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta


def keep_from(now: datetime, memory: timedelta, needed: Iterable[datetime]) -> datetime:
    """What was logged before this instant may be deleted: a midnight of UTC, as the log's partitions are days of UTC.

    That is `memory` ago, or before, where something is still `needed` that was logged then. Times are aware.
    """
    oldest = min([now - memory, *needed]).astimezone(UTC)
    return oldest.replace(hour=0, minute=0, second=0, microsecond=0)
