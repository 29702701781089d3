"""The oracle's own small idea of a cadence, and of when a step is due."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Step:
    """A wait of whole local days and then elapsed time, and a template."""

    key: str
    template: str
    days: int = 0
    elapsed: timedelta = timedelta()

    def due(self, since: datetime, zone: str) -> datetime:
        """First the local days, a time that does not exist being later and one that exists twice the earlier."""
        if self.days:
            local = since.astimezone(ZoneInfo(zone)).replace(tzinfo=None) + timedelta(days=self.days)
            since = local.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)
        return since + self.elapsed


@dataclass(frozen=True, slots=True)
class Cadence:
    """A cadence of one company, active for the whole run, with one version."""

    company: str
    key: str
    trigger: str
    steps: tuple[Step, ...]
    where: Mapping[str, str] = field(default_factory=dict)
    reentry: str = "always"
    """`always` or `never`"""
    cancels_on_reply: bool = True
    reply_grace: timedelta = timedelta()
    send_within: timedelta = timedelta(hours=1)
    language: str = "pt_BR"
    nameless: str = "friend"
    """Each template has one variable, `contactName`: this where no name is known."""

    def is_triggered_by(self, event_type: str, data: Mapping[str, object]) -> bool:
        return (
            event_type == self.trigger
            and data.get("companyId") == self.company
            and all(data.get(name) == value for name, value in self.where.items())
        )
