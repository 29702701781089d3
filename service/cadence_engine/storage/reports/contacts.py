"""One contact: what is known, and the passages through cadences."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cadence_engine.domain.enrollment import Enrollment
from cadence_engine.storage import cadences
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.enrollments.rows import COLUMNS, enrollment


@dataclass(frozen=True, slots=True)
class KnownContact:
    """As other services have described it so far; `phone` in full, for whoever may see it."""

    company_id: str
    contact_id: str
    name: str | None
    phone: str | None
    locale: str | None
    time_zone: str | None
    opted_out: bool
    last_message_at: datetime | None
    last_inbound_at: datetime | None
    erased: bool


@dataclass(frozen=True, slots=True)
class Passage:
    """An enrollment and the step that it waits at; `step_key` None behind the last."""

    enrollment: Enrollment
    step_key: str | None
    steps: int


async def known(conn: Connection, company_id: str, contact_id: str) -> KnownContact | None:
    """None: the company has no contact with that id."""
    row = await conn.fetchrow(
        """
        SELECT company_id, contact_id, name, phone, locale, time_zone, opted_out,
            last_message_at, last_inbound_at, erased
        FROM contacts WHERE company_id = $1 AND contact_id = $2
        """,
        company_id,
        contact_id,
    )
    return None if row is None else KnownContact(*row)


async def tags(conn: Connection, company_id: str, contact_id: str) -> list[str]:
    """Whoever put them there."""
    rows = await conn.fetch(
        "SELECT DISTINCT tag FROM contact_tags WHERE company_id = $1 AND contact_id = $2 ORDER BY tag",
        company_id,
        contact_id,
    )
    return [tag for (tag,) in rows]


async def passages(conn: Connection, company_id: str, contact_id: str, most: int) -> list[Enrollment]:
    """The newest `most` of the contact's enrollments, by their start."""
    # Two selects, since live and ended enrollments are found by two partial indexes.
    rows = await conn.fetch(
        f"""
        SELECT {COLUMNS} FROM (
            SELECT * FROM cadence_enrollments WHERE company_id = $1 AND contact_id = $2
                AND status IN ('active', 'paused', 'parked')
            UNION ALL
            SELECT * FROM cadence_enrollments WHERE company_id = $1 AND contact_id = $2
                AND status IN ('completed', 'cancelled')
        ) AS e JOIN cadences k USING (company_id, cadence_id)
        ORDER BY e.started_at DESC, e.enrollment_id DESC LIMIT $3
        """,  # noqa: S608  # a constant of `rows`
        company_id,
        contact_id,
        most,
    )
    return [enrollment(row) for row in reversed(rows)]


async def passage_ids(conn: Connection, company_id: str, contact_id: str) -> tuple[list[UUID], datetime | None]:
    """All of the contact's enrollments, and when the first began."""
    rows = await conn.fetch(
        """
        SELECT enrollment_id, started_at FROM cadence_enrollments
        WHERE company_id = $1 AND contact_id = $2 AND status IN ('active', 'paused', 'parked')
        UNION ALL
        SELECT enrollment_id, started_at FROM cadence_enrollments
        WHERE company_id = $1 AND contact_id = $2 AND status IN ('completed', 'cancelled')
        """,
        company_id,
        contact_id,
    )
    return [row[0] for row in rows], min((row[1] for row in rows), default=None)


async def with_steps(conn: Connection, enrollments: Sequence[Enrollment]) -> list[Passage]:
    """Each with the step at which it stands in its version."""
    versions = await cadences.versions(conn, {(e.company_id, e.cadence_id, e.version) for e in enrollments})
    told = []
    for each in enrollments:
        version = versions[each.company_id, each.cadence_id, each.version]
        step = version.step_at(each.step_index)
        told.append(Passage(each, step.key if step else None, len(version.definition.steps)))
    return told
