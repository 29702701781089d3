"""What a cadence would do with an audience: sends per day, and how many are refused or park, and why."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from cadence_engine.domain.cadence import Scalar
from cadence_engine.domain.enroll import NOTHING
from cadence_engine.domain.inactivity import DetectorDay, silent_since
from cadence_engine.domain.policy import Policy
from cadence_engine.domain.schedule import local_date, zone_of
from cadence_engine.handlers.simulate import Plan, Timeline, company_of, simulate_contacts
from cadence_engine.storage import detector
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.detector import Silence

PAGE = 1000


@dataclass(slots=True)
class Forecast:
    """Grows with each timeline that is added. Days are those of `zone`, the company's.

    `sends`: by day and step key. `refused` and `parked` by their reasons. `limit`: the detector's limit for a day was
    reached, whoever is left would follow on later days; None: it was not.
    """

    zone: str
    contacts: int = 0
    enrolled_before: int = 0
    started: int = 0
    completed: int = 0
    sends: dict[date, Counter[str]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    parked: Counter[str] = field(default_factory=Counter)
    limit: int | None = None

    def add(self, timelines: Iterable[Timeline]) -> None:
        for each in timelines:
            self._add(each)

    def _add(self, timeline: Timeline) -> None:
        self.contacts += 1
        if timeline.refused is not None:
            self.refused[timeline.refused.value] += 1
        elif timeline.enrolled is not None:
            self.enrolled_before += 1
        else:
            self.started += 1
            self.completed += timeline.completes_at is not None
        for step in timeline.steps:
            if step.parks is not None:
                self.parked[step.parks.value] += 1
            else:
                self.sends.setdefault(local_date(step.at, self.zone), Counter())[step.key] += 1

    def as_json(self) -> Mapping[str, Any]:
        """Days in their order, as RFC 3339 dates."""
        return {
            "zone": self.zone,
            "contacts": self.contacts,
            "started": self.started,
            "enrolled_before": self.enrolled_before,
            "completed": self.completed,
            "refused": dict(self.refused.most_common()),
            "parked": dict(self.parked.most_common()),
            "sends": {day.isoformat(): dict(self.sends[day]) for day in sorted(self.sends)},
            "limit": self.limit,
        }


async def begin(connection: Connection, plan: Plan, policy: Policy) -> Forecast:
    """An empty one, in the zone of the plan's company."""
    company = await company_of(connection, plan.version.company_id)
    return Forecast(zone_of(company.time_zone.value, policy.default_time_zone))


async def of_contacts(
    connection: Connection,
    plan: Plan,
    pages: Iterable[Sequence[str]],
    context: Mapping[str, Scalar],
    start: datetime,
    policy: Policy,
) -> AsyncIterator[Forecast]:
    """The contacts with these ids, all triggered at `start`; the same forecast after each page."""
    forecast = await begin(connection, plan, policy)
    for page in pages:
        forecast.add(await simulate_contacts(connection, plan, page, context, start, policy))
        yield forecast


async def of_silent(connection: Connection, plan: Plan, day: DetectorDay, policy: Policy) -> AsyncIterator[Forecast]:
    """Whom the company's detector would take on that day, longest silent first; the same forecast after each page."""
    company_id = plan.version.company_id
    company = await company_of(connection, company_id)
    since = silent_since(plan.version, company, day, policy.default_time_zone)
    forecast = await begin(connection, plan, policy)
    after: Silence | None = None
    while True:
        page = await detector.silent(connection, company_id, since, after, PAGE)
        ids = [contact_id for _, contact_id in page]
        for timeline in await simulate_contacts(connection, plan, ids, NOTHING, day.run_at, policy):
            if company.inactivity_limit is not None and forecast.started >= company.inactivity_limit:
                forecast.limit = company.inactivity_limit
                break
            forecast.add([timeline])
        yield forecast
        if len(page) < PAGE or forecast.limit is not None:
            return
        after = page[-1]
