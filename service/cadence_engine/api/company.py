"""The caller's company: how it is set."""

from datetime import datetime
from types import EllipsisType
from typing import Annotated, Any, assert_never

from pydantic import Field

from cadence_contracts.fields import ExternalId, Locale, TimeZone
from cadence_engine.api.call import Call
from cadence_engine.api.operation import Answer, Operations
from cadence_engine.api.problems import Code, Problem
from cadence_engine.api.wire import Asked, Told, Words
from cadence_engine.domain.api_key import Scope
from cadence_engine.domain.company import Company, CompanyChange
from cadence_engine.handlers.erase_company import Begun, UnknownCompany, erase_company
from cadence_engine.handlers.halt import claims_over
from cadence_engine.handlers.set_company import set_company
from cadence_engine.storage import companies

operations = Operations("Company", "What is particular to your company. Which it is, the credential says.")


class CompanyTold(Told):
    company_id: str
    name: str | None
    time_zone: str | None = Field(description="IANA; null: the deployment's default")
    locale: str | None = Field(description="BCP 47")
    inactive_days: int = Field(description="silence that counts as inactive, where a cadence has none of its own")
    inactivity_limit: int | None = Field(description="enrollments a day by inactivity; null: no limit")
    detector_hour: int = Field(description="the local hour at which silence is looked for")

    @classmethod
    def of(cls, company: Company) -> "CompanyTold":
        return cls(
            company_id=company.company_id,
            name=company.name.value,
            time_zone=company.time_zone.value,
            locale=company.locale.value,
            inactive_days=company.inactive_days,
            inactivity_limit=company.inactivity_limit,
            detector_hour=company.detector_hour,
        )


class CompanySettings(Asked):
    """What is left out stays as it is; null clears it."""

    name: Words | None = None
    time_zone: TimeZone | None = None
    locale: Locale | None = None
    inactive_days: Annotated[int, Field(ge=1, le=3650)] = 21
    inactivity_limit: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    detector_hour: Annotated[int, Field(ge=0, le=23)] = 9

    def change(self) -> CompanyChange:
        def told(name: str) -> Any | EllipsisType:
            return getattr(self, name) if name in self.model_fields_set else ...

        return CompanyChange(**{name: told(name) for name in type(self).model_fields})


@operations.add("GET", "/v1/company", scope=Scope.READ, answers={200: CompanyTold}, refusals=[Code.COMPANY_NOT_FOUND])
async def show_company(call: Call) -> Answer:
    """How your company is set."""
    async with call.reading() as connection:
        found = (await companies.load(connection, [call.company_id])).get(call.company_id)
    if found is None:
        raise Problem(Code.COMPANY_NOT_FOUND)
    return Answer(CompanyTold.of(found))


@operations.add("PATCH", "/v1/company", scope=Scope.ADMIN, answers={200: CompanyTold})
async def set_up_company(call: Call, body: CompanySettings) -> Answer:
    """Change what is given, leave the rest.

    A later `company.updated` record may say otherwise about name, zone and locale: whatever is told last counts.
    """
    return Answer(CompanyTold.of(await call.run(lambda unit: set_company(unit, call.company_id, body.change()))))


class EraseCompanyAsked(Asked):
    company_id: ExternalId = Field(description="your company's id, so that nothing is erased by mistake")
    reason: Words


class ErasureTold(Told):
    """Workers erase the contacts from a minute later on, batch by batch."""

    asked_at: datetime
    finished_at: datetime | None


@operations.add(
    "POST",
    "/v1/company/erase",
    scope=Scope.ADMIN,
    answers={200: ErasureTold},
    refusals=[Code.COMPANY_NOT_FOUND, Code.ANOTHER_COMPANY],
)
async def erase_company_(call: Call, body: EraseCompanyAsked) -> Answer:
    """Halt your company for good, end every enrollment, and forget every contact, in the log too. Again is fine."""
    if body.company_id != call.company_id:
        raise Problem(Code.ANOTHER_COMPANY)
    outcome = await call.run(lambda unit: erase_company(unit, call.company_id, actor=call.actor, reason=body.reason))
    match outcome:
        case UnknownCompany():
            raise Problem(Code.COMPANY_NOT_FOUND)
        case Begun(erasure):
            await call.run(claims_over)
            return Answer(ErasureTold.model_validate(erasure))
    assert_never(outcome)
