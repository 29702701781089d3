"""Due moments in buckets of a quarter of a second: one job wakes up for everything due in a bucket, at its end."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

WIDTH = timedelta(seconds=0.25)
HORIZON = timedelta(minutes=1)
"""How far ahead Redis is told: its memory does not grow with the number of enrollments."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def bucket_of(moment: datetime) -> int:
    """The bucket whose end is the first at or after `moment` (aware)."""
    return -(-(moment - EPOCH) // WIDTH)


def end_of(bucket: int) -> datetime:
    """When everything in the bucket is due; aware UTC."""
    return EPOCH + bucket * WIDTH


def buckets_to_wake(moments: Iterable[datetime], now: datetime) -> list[int]:
    """The buckets of the moments within the horizon, each once, ascending.

    What is overdue counts to the bucket under way: the job of its own has run already, or runs just now.
    """
    horizon = now + HORIZON
    return sorted({bucket_of(max(moment, now)) for moment in moments if moment <= horizon})
