"""Leads: known from `lead.created`, for ownership and for template variables."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from cadence_engine.domain.known import UNTOLD, Known
from cadence_engine.storage.connection import Connection

LeadKey = tuple[str, str]
"""(company id, lead id)"""


@dataclass(frozen=True, slots=True)
class Lead:
    """What records tell about a lead; a field that none of them names is untold."""

    company_id: str
    lead_id: str
    board_id: Known[str | None] = UNTOLD
    contact_id: Known[str | None] = UNTOLD

    def with_newer(self, other: "Lead") -> "Lead":
        """Field by field the newer of the two, `other` being read later."""
        return replace(
            self, board_id=self.board_id.newer(other.board_id), contact_id=self.contact_id.newer(other.contact_id)
        )


async def project(connection: Connection, leads: Sequence[Lead]) -> None:
    """Write what was told, in the order of reading; field by field the newest word stays."""
    newest: dict[LeadKey, Lead] = {}
    for lead in leads:
        key = (lead.company_id, lead.lead_id)
        newest[key] = newest[key].with_newer(lead) if key in newest else lead
    if not newest:
        return
    rows = [
        (*key, lead.board_id.value, lead.board_id.at, lead.contact_id.value, lead.contact_id.at)
        for key, lead in sorted(newest.items(), key=lambda item: item[0])
    ]
    await connection.execute(
        """
        INSERT INTO leads AS known (company_id, lead_id, board_id, board_id_at, contact_id, contact_id_at)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::timestamptz[])
        ON CONFLICT (company_id, lead_id) DO UPDATE SET
            board_id = CASE WHEN excluded.board_id_at >= coalesce(known.board_id_at, '-infinity')
                THEN excluded.board_id ELSE known.board_id END,
            board_id_at = greatest(known.board_id_at, excluded.board_id_at),
            contact_id = CASE WHEN excluded.contact_id_at >= coalesce(known.contact_id_at, '-infinity')
                THEN excluded.contact_id ELSE known.contact_id END,
            contact_id_at = greatest(known.contact_id_at, excluded.contact_id_at),
            revision = known.revision + 1
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
