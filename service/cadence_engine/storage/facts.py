"""The facts that a step is decided on, of contacts that need not be enrolled."""

from collections.abc import Collection

from cadence_engine.domain.facts import Facts
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.enrollments.claim import FACTS


async def of_contacts(
    connection: Connection, company_id: str, contact_ids: Collection[str], *, lead_id: str | None = None
) -> dict[str, Facts]:
    """By contact id, as an enrollment with that lead would have them; unknown contacts are left out."""
    rows = await connection.fetch(
        f"""
        SELECT {FACTS}
        FROM contacts c JOIN companies o USING (company_id)
        LEFT JOIN leads l ON l.company_id = c.company_id AND l.lead_id = $3
        WHERE c.company_id = $1 AND c.contact_id = ANY($2::text[])
        """,  # noqa: S608  # a constant of `claim`
        company_id,
        contact_ids,
        lead_id,
    )
    found = (Facts(*row) for row in rows)
    return {facts.contact_id: facts for facts in found}
