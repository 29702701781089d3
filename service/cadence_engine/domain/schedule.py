"""When a step is due: the one place of local-time arithmetic."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from whenever import Date as CalendarDate
from whenever import Instant, PlainDateTime, Time

from cadence_engine.domain.cadence import Wait


def after(start: datetime, wait: Wait, zone: str) -> datetime:
    """`start` (aware) plus `wait`, in UTC.

    First the days, as wall-clock days in `zone`: a local time that does not exist moves later, one that exists twice is
    the earlier. Then the exact part, as elapsed time.
    """
    if wait.days:
        local = Instant(start).to_tz(zone).to_plain().add(days=wait.days)
        start = _instant(local, zone)
    return start.astimezone(UTC) + wait.exact


def before(start: datetime, wait: Wait, zone: str) -> datetime:
    """`start` less `wait`, by the same rules as `after`."""
    if wait.days:
        local = Instant(start).to_tz(zone).to_plain().subtract(days=wait.days)
        start = _instant(local, zone)
    return start.astimezone(UTC) - wait.exact


def local_date(now: datetime, zone: str) -> date:
    """The calendar date of `now` in `zone`."""
    return Instant(now).to_tz(zone).date().to_stdlib()


def at_hour(day: date, hour: int, zone: str) -> datetime:
    """`hour` o'clock of a local day, in UTC."""
    return _instant(CalendarDate(day).at(Time(hour)), zone)


def _instant(local: PlainDateTime, zone: str) -> datetime:
    return local.assume_tz(zone, disambiguation="compatible").to_instant().to_stdlib().astimezone(UTC)


@lru_cache(maxsize=1024)
def is_zone(name: str) -> bool:
    """Whether `name` is a zone of the IANA database."""
    try:
        Instant.from_timestamp(0).to_tz(name)
    except (ValueError, LookupError, OSError):
        return False
    return True


def zone_of(*names: str | None) -> str:
    """The first of `names` that is a zone here: one that another service knows may not be. The last must be one."""
    *candidates, default = names
    for name in candidates:
        if name and is_zone(name):
            return name
    return default or "UTC"


def wait_left(due: datetime, held_at: datetime) -> timedelta:
    """What remains of a wait that is held; nothing where it was over already."""
    return max(due - held_at, timedelta())


def local(at: datetime, zone: str) -> datetime:
    """The same instant as the clocks of `zone` show it."""
    return Instant(at).to_tz(zone).to_stdlib()


def from_local(wall_clock: datetime, zone: str) -> datetime:
    """In UTC the instant at which the clocks of `zone` show this (naive) time, by the rules of `after`."""
    return _instant(PlainDateTime(wall_clock), zone)
