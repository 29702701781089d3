"""What happened to a contact or in one passage, a page at a time, newest first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from cadence_engine.domain.enroll import Refusal
from cadence_engine.domain.events import ERASED, REFUSED, SEND_REQUESTED
from cadence_engine.domain.outlook import PastRefusal
from cadence_engine.storage import cursor, log_kept
from cadence_engine.storage.connection import Connection

MOST_REFUSALS = 500
EVER = datetime.min.replace(tzinfo=UTC)

# Nothing of a passage was logged before it started: older partitions of the log are not looked at.
# A send shares its revision, and all that it tells, with the step.executed beside it.
OF_PASSAGES = f"""
    SELECT * FROM cadence_events
    WHERE company_id = $1 AND enrollment_id = ANY($2::uuid[]) AND logged_at >= $3 AND type <> '{SEND_REQUESTED}'
        AND ($4::bigint IS NULL OR (batch_id, position) < ($4, $5))
"""  # noqa: S608  # constants of the domain
REFUSALS = f"""
    SELECT * FROM cadence_events
    WHERE company_id = $1 AND contact_id = $7 AND type IN ('{REFUSED}', '{ERASED}')
        AND ($4::bigint IS NULL OR (batch_id, position) < ($4, $5))
"""  # noqa: S608
PAGE = f"""
    SELECT logged_at, type, enrollment_id, data, batch_id, position
    FROM ({OF_PASSAGES} UNION ALL {REFUSALS}) AS happened
    ORDER BY batch_id DESC, position DESC LIMIT $6
"""  # noqa: S608  # constants of this module
NEWEST_REFUSALS = f"""
    SELECT logged_at, data FROM cadence_events WHERE company_id = $1 AND contact_id = $2 AND type = '{REFUSED}'
    ORDER BY batch_id DESC, position DESC LIMIT $3
"""  # noqa: S608


class Place(NamedTuple):
    """Of an entry in the log: the next page lies before the last one's."""

    batch_id: int
    position: int


def write_cursor(company_id: str, subject: str, place: Place) -> str:
    """A place in the timeline of `subject`, the id of a contact or an enrollment, for those who come back for more."""
    return cursor.write(_whose(company_id, subject), place)


def read_cursor(company_id: str, subject: str, text: str) -> Place:
    """What `write_cursor` was given for the same subject. Raises `storage.cursor.BadCursor`."""
    return Place(*cursor.read(_whose(company_id, subject), text, (int, int)))


def _whose(company_id: str, subject: str) -> object:
    return ["timeline", company_id, subject]


@dataclass(frozen=True, slots=True)
class Happened:
    """A row of the log. `enrollment_id` None: the refusal of an enrollment, or the deletion of the contact."""

    at: datetime
    type: str
    enrollment_id: UUID | None
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """Oldest first. `older`: where the page before begins; None where there is none.

    `kept_since`: what happened before is not kept any more; None: everything is.
    """

    happened: Sequence[Happened]
    older: Place | None
    kept_since: datetime | None


async def page(
    conn: Connection,
    company_id: str,
    enrollment_ids: Sequence[UUID],
    *,
    since: datetime | None,
    refused_contact: str | None,
    before: Place | None,
    rows: int,
) -> TimelinePage:
    """The newest `rows` entries before a place: of these passages, begun at `since` or later, and of the refusals."""
    batch_id, position = before or (None, None)
    found = await conn.fetch(
        PAGE, company_id, enrollment_ids, since or EVER, batch_id, position, rows + 1, refused_contact
    )
    shown = found[:rows]
    older = Place(shown[-1]["batch_id"], shown[-1]["position"]) if len(found) > rows else None
    return TimelinePage([Happened(*row[:4]) for row in reversed(shown)], older, await log_kept.since(conn))


async def refusals(conn: Connection, company_id: str, contact_id: str) -> dict[UUID, PastRefusal]:
    """The contact's newest refusal by each cadence, of the newest few hundred."""
    newest: dict[UUID, PastRefusal] = {}
    for at, told in await conn.fetch(NEWEST_REFUSALS, company_id, contact_id, MOST_REFUSALS):
        about = told["cadences"] if told["reason"] == Refusal.WHERE else [told]
        for each in about:
            if each["cadenceId"] is None:  # the request named a cadence that there was not
                continue
            past = PastRefusal(at, told["trigger"], told["reason"], tuple(each.get("fields", ())))
            newest.setdefault(UUID(each["cadenceId"]), past)
    return newest
