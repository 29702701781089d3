"""Whether a contact may pass through a cadence again."""

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from cadence_engine.domain import schedule
from cadence_engine.domain.cadence import Reentry, ReentryRule


@dataclass(frozen=True, slots=True)
class LastPassage:
    """The newest ended enrollment of a contact in a cadence."""

    started_at: datetime
    ended_at: datetime


def may_reenter(
    rule: Reentry, last: LastPassage | None, *, last_inbound_at: datetime | None, at: datetime, zone: str
) -> bool:
    """`at` is when the trigger happened."""
    if last is None:
        return True
    match rule.rule:
        case ReentryRule.NEVER:
            return False
        case ReentryRule.ALWAYS:
            return True
        case ReentryRule.NEW_ACTIVITY:
            return last_inbound_at is not None and last_inbound_at > last.started_at
        case ReentryRule.AFTER:
            if rule.after is None:
                raise ValueError("a re-entry rule of kind `after` has no duration")
            return at >= schedule.after(last.ended_at, rule.after, zone)
    assert_never(rule.rule)
