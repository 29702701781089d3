"""One contact: what is known, the passages through cadences, and everything that happened in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from cadence_engine.domain.enrollment import Enrollment
from cadence_engine.domain.events import REFUSED, SEND_REQUESTED
from cadence_engine.storage import cadences
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.enrollments.rows import COLUMNS, enrollment

MOST_ENROLLMENTS = 50
MOST_EVENTS = 200


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


@dataclass(frozen=True, slots=True)
class Happened:
    """A row of the log. `enrollment_id` None: the refusal of an enrollment."""

    at: datetime
    type: str
    enrollment_id: UUID | None
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ContactReport:
    """Passages by their start, and events, each list with the newest last and cut at its front."""

    contact: KnownContact
    tags: Sequence[str]
    passages: Sequence[Passage]
    timeline: Sequence[Happened]


async def about(conn: Connection, company_id: str, contact_id: str) -> ContactReport | None:
    """Everything about one contact of the company; None: it has none with that id."""
    row = await conn.fetchrow(
        """
        SELECT company_id, contact_id, name, phone, locale, time_zone, opted_out,
            last_message_at, last_inbound_at, erased
        FROM contacts WHERE company_id = $1 AND contact_id = $2
        """,
        company_id,
        contact_id,
    )
    if row is None:
        return None
    tags = await conn.fetch(
        "SELECT DISTINCT tag FROM contact_tags WHERE company_id = $1 AND contact_id = $2 ORDER BY tag",
        company_id,
        contact_id,
    )
    passages = await _passages(conn, company_id, contact_id)
    timeline = await _timeline(conn, company_id, contact_id, [p.enrollment.enrollment_id for p in passages])
    return ContactReport(KnownContact(*row), [tag for (tag,) in tags], passages, timeline)


async def _passages(conn: Connection, company_id: str, contact_id: str) -> list[Passage]:
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
        ORDER BY e.started_at DESC, e.enrollment_id DESC LIMIT {MOST_ENROLLMENTS}
        """,  # noqa: S608  # constants of this module and of `rows`
        company_id,
        contact_id,
    )
    found = [enrollment(row) for row in reversed(rows)]
    versions = await cadences.versions(conn, {(e.company_id, e.cadence_id, e.version) for e in found})
    passages = []
    for each in found:
        version = versions[each.company_id, each.cadence_id, each.version]
        step = version.step_at(each.step_index)
        passages.append(Passage(each, step.key if step else None, len(version.definition.steps)))
    return passages


async def _timeline(
    conn: Connection, company_id: str, contact_id: str, enrollment_ids: Sequence[UUID]
) -> list[Happened]:
    # A send shares its revision, and all that it tells, with the step.executed beside it.
    rows = await conn.fetch(
        f"""
        SELECT logged_at, type, enrollment_id, data FROM (
            SELECT * FROM cadence_events WHERE company_id = $1 AND enrollment_id = ANY($3::uuid[])
                AND type <> '{SEND_REQUESTED}'
            UNION ALL
            SELECT * FROM cadence_events WHERE company_id = $1 AND contact_id = $2 AND type = '{REFUSED}'
        ) AS happened
        ORDER BY batch_id DESC, position DESC LIMIT {MOST_EVENTS}
        """,  # noqa: S608  # constants of this module and of the domain
        company_id,
        contact_id,
        enrollment_ids,
    )
    return [Happened(*row) for row in reversed(rows)]
