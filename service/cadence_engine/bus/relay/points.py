"""The moments of a transaction at which a process may die or freeze; fault tests hook in here."""

from collections.abc import Awaitable, Callable
from enum import StrEnum


class Point(StrEnum):
    """In the order in which they are passed."""

    PRODUCER_STARTED = "producer_started"
    MARK_SETTLED = "mark_settled"
    BATCHES_READ = "batches_read"
    BEFORE_KAFKA_COMMIT = "before_kafka_commit"
    AFTER_KAFKA_COMMIT = "after_kafka_commit"
    BEFORE_DATABASE_COMMIT = "before_database_commit"
    AFTER_DATABASE_COMMIT = "after_database_commit"


OnPoint = Callable[[Point], Awaitable[None]]


async def pass_by(_: Point) -> None:
    """What happens at a point outside of tests."""
