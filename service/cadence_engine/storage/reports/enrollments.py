"""A company's enrollments: one, or a list page by page."""

from dataclasses import dataclass
from uuid import UUID

from cadence_engine.storage.connection import Connection
from cadence_engine.storage.enrollments import choose, cursor, load
from cadence_engine.storage.enrollments.choose import Chosen
from cadence_engine.storage.reports.contacts import Passage, with_steps


@dataclass(frozen=True, slots=True)
class Listed:
    """A page. `next_cursor`: for the page behind it; None: there is none."""

    passages: list[Passage]
    next_cursor: str | None


async def listed(conn: Connection, chosen: Chosen, *, rows: int, after: str | None = None) -> Listed:
    """Up to `rows` of the chosen behind the cursor `after`. A page may be short, or empty, though there is a next one.

    The order is that in which they are due, where all are active; by contact, where all are live; else that in which
    they began. Raises `storage.cursor.BadCursor`.
    """
    place = None if after is None else cursor.read(chosen, after)
    page = await choose.page(conn, chosen, after=place, rows=rows)
    behind = None if page.after is None else cursor.write(chosen, page.after)
    return Listed(await with_steps(conn, page.enrollments), behind)


async def one(conn: Connection, company_id: str, enrollment_id: UUID) -> Passage | None:
    """One enrollment of the company; None: it has none with that id."""
    found = await load.one(conn, company_id, enrollment_id)
    return None if found is None else (await with_steps(conn, [found]))[0]
