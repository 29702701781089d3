"""An operator sets what is particular to a company."""

from cadence_engine.domain.company import Company, CompanyChange
from cadence_engine.storage import companies
from cadence_engine.storage.database import UnitOfWork


async def set_company(unit: UnitOfWork, company_id: str, change: CompanyChange) -> Company:
    """The company with `change`, told now; an unknown one is made. A later `company.updated` may say otherwise."""
    company = (await companies.lock(unit.connection, [company_id]))[company_id]
    changed = change.applied(company, unit.now)
    if changed != company:
        await companies.save(unit.connection, [changed])
    return changed
