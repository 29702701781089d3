"""Partitions that cannot be read on: left aside for a while, then looked at again, while the others go on.

A held partition of a gate topic holds the gate too: the watermark waits for its progress.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

import structlog
from aiokafka import TopicPartition

log = structlog.stdlib.get_logger("cadence_engine.bus.holds")

SECONDS: Final = 10.0


class Holds:
    """Which partitions of a topic are held, why, and until when."""

    def __init__(self) -> None:
        self._until: dict[TopicPartition, float] = {}
        self.reasons: dict[TopicPartition, str] = {}

    def unreadable(self, tp: TopicPartition, offset: int, error: Exception) -> None:
        """Its next record cannot be decoded, and so cannot become a dead letter."""
        self._hold(
            tp,
            f"the record at offset {offset}, or the first one behind it, cannot be decoded. To skip it, and lose it: "
            f"set next_offset = {offset + 1} for {tp.topic} and {tp.partition} in stream_progress",
            error,
        )

    def gone(self, tp: TopicPartition, offset: int) -> None:
        """The log does not reach back, or not forward, to its next offset."""
        self._hold(
            tp,
            f"offset {offset} is no longer in the log, or the topic was made anew: records may be lost. To accept "
            f"that, and read what is there, delete the row of {tp.topic} and {tp.partition} in stream_progress",
        )

    def is_held(self, tp: TopicPartition) -> bool:
        """Whether to leave it aside now; one whose time is over is forgotten."""
        if self._until.get(tp, 0.0) > _now():
            return True
        self._until.pop(tp, None)
        self.reasons.pop(tp, None)
        return False

    def is_one_over(self) -> bool:
        """Whether some partition is to be looked at again."""
        return any(until <= _now() for until in self._until.values())

    def keep(self, assigned: Iterable[TopicPartition]) -> None:
        """Forget the partitions that another consumer reads now."""
        for tp in self._until.keys() - set(assigned):
            del self._until[tp], self.reasons[tp]

    def _hold(self, tp: TopicPartition, why: str, error: Exception | None = None) -> None:
        self._until[tp] = _now() + SECONDS
        self.reasons[tp] = why
        log.error("partition_held", topic=tp.topic, partition=tp.partition, hint=why, exc_info=error)


def _now() -> float:
    return asyncio.get_running_loop().time()
