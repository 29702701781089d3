"""The company: its settings and what other services have told about it."""

from dataclasses import dataclass, replace
from datetime import datetime
from types import EllipsisType

from cadence_engine.domain.known import Known


@dataclass(frozen=True, slots=True)
class Company:
    """`inactivity_limit` None: no limit. `detector_hour`: 0 to 23, local."""

    company_id: str
    name: Known[str | None] = Known(None)
    time_zone: Known[str | None] = Known(None)
    locale: Known[str | None] = Known(None)
    inactive_days: int = 21
    inactivity_limit: int | None = 100
    detector_hour: int = 9
    revision: int = 0

    def forget(self, at: datetime) -> "Company":
        """Without anything told up to `at`."""
        return replace(
            self,
            name=self.name.since(at, None),
            time_zone=self.time_zone.since(at, None),
            locale=self.locale.since(at, None),
        )


@dataclass(frozen=True, slots=True)
class CompanyChange:
    """What a record or an operator says; `...` leaves a field as it is, None clears it (the limit: none)."""

    name: str | None | EllipsisType = ...
    time_zone: str | None | EllipsisType = ...
    locale: str | None | EllipsisType = ...
    inactive_days: int | EllipsisType = ...
    inactivity_limit: int | None | EllipsisType = ...
    detector_hour: int | EllipsisType = ...

    def applied(self, company: Company, at: datetime) -> Company:
        """The company with this said at `at`; what is known from later stays."""

        def told(known: Known[str | None], value: str | None | EllipsisType) -> Known[str | None]:
            return known if isinstance(value, EllipsisType) else known.told(value, at)

        return replace(
            company,
            name=told(company.name, self.name),
            time_zone=told(company.time_zone, self.time_zone),
            locale=told(company.locale, self.locale),
            inactive_days=company.inactive_days if isinstance(self.inactive_days, EllipsisType) else self.inactive_days,
            inactivity_limit=company.inactivity_limit
            if isinstance(self.inactivity_limit, EllipsisType)
            else self.inactivity_limit,
            detector_hour=company.detector_hour if isinstance(self.detector_hour, EllipsisType) else self.detector_hour,
        )
