"""The rule that waits for replies: a step is decided only when every earlier reply is surely applied."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from cadence_engine.domain.policy import Policy


class Held(StrEnum):
    """Why nothing is decided now. A halt is ended by an operator, the others end by themselves."""

    HALTED = "halted"
    REPLIES_BEHIND = "replies_behind"
    WATERMARK_AHEAD = "watermark_ahead_of_the_clock"
    RELAY_STUCK = "relay_stuck"


@dataclass(frozen=True, slots=True)
class GateReading:
    """One look at the database: its clock, the watermark, the log's oldest unpublished batch, and the halts in force.

    `halted`: that of all companies; `halted_companies`: how many have one of their own.
    """

    now: datetime
    watermark: datetime
    oldest_unpublished_at: datetime | None
    halted: bool = False
    halted_companies: int = 0

    @property
    def unpublished_for(self) -> timedelta:
        """How long the log's oldest batch waits for the relay."""
        return timedelta() if self.oldest_unpublished_at is None else self.now - self.oldest_unpublished_at


def decide(reading: GateReading, policy: Policy) -> datetime | Held:
    """The instant up to which due steps may be decided, or why none may."""
    if reading.halted:
        return Held.HALTED
    lag = reading.now - reading.watermark
    if lag > policy.gate_max_lag:
        return Held.REPLIES_BEHIND
    if lag.total_seconds() < 0:
        return Held.WATERMARK_AHEAD
    if reading.unpublished_for > policy.relay_max_lag:
        return Held.RELAY_STUCK
    return reading.watermark
