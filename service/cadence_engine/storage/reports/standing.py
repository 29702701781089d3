"""How a company's cadences stand: each with its current version, and who holds it if it is paused."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.storage.cadences import VersionKey
from cadence_engine.storage.connection import Connection


@dataclass(frozen=True, slots=True)
class Standing:
    """`actor` and `reason` are of the newest change of status; `made_at`: when the first version was published."""

    company_id: str
    cadence_id: UUID
    key: str
    status: CadenceStatus
    actor: str | None
    reason: str | None
    current_version: int
    made_at: datetime

    @property
    def version_key(self) -> VersionKey:
        return self.company_id, self.cadence_id, self.current_version


async def of_company(conn: Connection, company_id: str) -> dict[UUID, Standing]:
    """Every published cadence of the company by its id, in the order of their keys; nothing is locked."""
    rows = await conn.fetch(
        """
        SELECT k.company_id, k.cadence_id, k.key, k.status, k.actor, k.reason, k.current_version,
            first.created_at AS made_at
        FROM cadences k JOIN cadence_versions first USING (company_id, cadence_id)
        WHERE k.company_id = $1 AND first.version = 1
        ORDER BY k.key
        """,
        company_id,
    )
    standings = (Standing(**{**dict(row), "status": CadenceStatus(row["status"])}) for row in rows)
    return {each.cadence_id: each for each in standings}
