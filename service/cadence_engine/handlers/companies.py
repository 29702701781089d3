"""`company.updated`: the company's name, zone and locale."""

from collections.abc import Sequence

from cadence_contracts.inbound import CompanyUpdated
from cadence_engine.domain.company import CompanyChange
from cadence_engine.handlers.received import Received
from cadence_engine.storage import companies
from cadence_engine.storage.database import UnitOfWork

PROJECTED = ("name", "time_zone", "locale")


async def project_companies(unit: UnitOfWork, events: Sequence[Received[CompanyUpdated]]) -> None:
    """Field by field the newest word wins."""
    if not events:
        return
    known = await companies.lock(unit.connection, {received.event.company_id for received in events})
    for received in events:
        changes = received.event.changes()
        change = CompanyChange(**{name: changes[name] for name in PROJECTED if name in changes})
        known[received.event.company_id] = change.applied(known[received.event.company_id], received.at)
    await companies.save(unit.connection, list(known.values()))
