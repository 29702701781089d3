"""When the detector runs for a company, and who counts as silent."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from cadence_engine.domain import schedule
from cadence_engine.domain.cadence import CadenceVersion, Wait
from cadence_engine.domain.company import Company


@dataclass(frozen=True, slots=True)
class DetectorDay:
    """A company's run: its local date, and the instant of its detector hour."""

    local_date: date
    run_at: datetime


def today(company: Company, now: datetime, default_zone: str) -> DetectorDay:
    """The run of the company's local day; it is due once its hour has come."""
    zone = schedule.zone_of(company.time_zone.value, default_zone)
    local_date = schedule.local_date(now, zone)
    return DetectorDay(local_date, schedule.at_hour(local_date, company.detector_hour, zone))


def next_run(company: Company, now: datetime, default_zone: str) -> DetectorDay:
    """The company's first run at `now` or later."""
    day = today(company, now, default_zone)
    if day.run_at >= now:
        return day
    zone = schedule.zone_of(company.time_zone.value, default_zone)
    tomorrow = day.local_date + timedelta(days=1)
    return DetectorDay(tomorrow, schedule.at_hour(tomorrow, company.detector_hour, zone))


def silent_since(cadence: CadenceVersion, company: Company, day: DetectorDay, default_zone: str) -> datetime:
    """A contact whose newest message is at or before this instant is inactive on that day."""
    silence = cadence.definition.trigger.after or Wait(days=company.inactive_days)
    return schedule.before(day.run_at, silence, schedule.zone_of(company.time_zone.value, default_zone))
