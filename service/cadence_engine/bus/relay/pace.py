"""How much one transaction of the relay takes, and how long the relay waits: pure values."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from cadence_engine.bus.relay.mark import fitting

PUBLISH_WITHIN = 5.0
"""Seconds for one Kafka transaction; its producer is dropped after that."""
RECORDS_AT_MOST = 20_000
BYTES_AT_MOST = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Pace:
    """`batches` at a time: half after a timeout, then slowly more again, up to `most`."""

    most: int
    batches: int

    @classmethod
    def full(cls, most: int) -> "Pace":
        return cls(most, most)

    def slower(self) -> "Pace":
        return replace(self, batches=max(1, self.batches // 2))

    def faster(self) -> "Pace":
        return replace(self, batches=min(self.most, self.batches + 1 + self.batches // 8))


def within(sizes: Sequence[int], limit: int) -> int:
    """How many of the sizes, from the first, stay within the limit together; never less than one."""
    return max(1, sum(total <= limit for total in accumulate(sizes)))


def portion(batch_ids: Sequence[int], events: Sequence[int]) -> int:
    """How many of the batches go into one transaction, by their ids and the number of their events."""
    return min(fitting(batch_ids), within(events, RECORDS_AT_MOST))


def idle_seconds(polls: int) -> float:
    """How long to wait after so many polls in a row that found nothing."""
    return min(0.05, 0.01 * (polls + 1))
