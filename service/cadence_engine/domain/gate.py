"""The rule that waits for replies: a step is decided only when every earlier reply is surely applied."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from cadence_engine.domain.policy import Policy


class Held(StrEnum):
    """Why nothing is decided now. Each ends by itself."""

    REPLIES_BEHIND = "replies_behind"
    WATERMARK_AHEAD = "watermark_ahead_of_the_clock"
    RELAY_STUCK = "relay_stuck"


@dataclass(frozen=True, slots=True)
class GateReading:
    """One look at the database: its clock, the watermark and the log's oldest unpublished batch."""

    now: datetime
    watermark: datetime
    oldest_unpublished_at: datetime | None

    @property
    def unpublished_for(self) -> timedelta:
        """How long the log's oldest batch waits for the relay."""
        return timedelta() if self.oldest_unpublished_at is None else self.now - self.oldest_unpublished_at


def decide(reading: GateReading, policy: Policy) -> datetime | Held:
    """The instant up to which due steps may be decided, or why none may."""
    lag = reading.now - reading.watermark
    if lag > policy.gate_max_lag:
        return Held.REPLIES_BEHIND
    if lag.total_seconds() < 0:
        return Held.WATERMARK_AHEAD
    if reading.unpublished_for > policy.relay_max_lag:
        return Held.RELAY_STUCK
    return reading.watermark
