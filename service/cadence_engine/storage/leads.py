"""Leads: known from `lead.created`, for ownership and for template variables."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from cadence_engine.storage.connection import Connection

LeadKey = tuple[str, str]
"""(company id, lead id)"""


@dataclass(frozen=True, slots=True)
class Lead:
    company_id: str
    lead_id: str
    board_id: str | None
    contact_id: str | None
    known_at: datetime


async def project(connection: Connection, leads: Sequence[Lead]) -> None:
    """Write what was told; the newest word on a lead stays, and what it leaves out stays known."""
    newest: dict[LeadKey, Lead] = {}
    for lead in leads:
        known = newest.get((lead.company_id, lead.lead_id))
        if known is None or lead.known_at >= known.known_at:
            newest[lead.company_id, lead.lead_id] = lead
    if not newest:
        return
    rows = [
        (lead.company_id, lead.lead_id, lead.board_id, lead.contact_id, lead.known_at)
        for _, lead in sorted(newest.items())
    ]
    await connection.execute(
        """
        INSERT INTO leads AS known (company_id, lead_id, board_id, contact_id, known_at)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
        ON CONFLICT (company_id, lead_id) DO UPDATE SET
            board_id = coalesce(excluded.board_id, known.board_id),
            contact_id = coalesce(excluded.contact_id, known.contact_id),
            known_at = excluded.known_at,
            revision = known.revision + 1
        WHERE known.known_at <= excluded.known_at
        """,
        *zip(*rows, strict=True),
    )


async def known(connection: Connection, keys: Collection[LeadKey]) -> set[LeadKey]:
    """Which of these belong to their company."""
    if not keys:
        return set()
    rows = await connection.fetch(
        """
        SELECT company_id, lead_id FROM unnest($1::text[], $2::text[]) AS wanted (company_id, lead_id)
        JOIN leads USING (company_id, lead_id)
        """,
        *zip(*keys, strict=True),
    )
    return {(row[0], row[1]) for row in rows}
