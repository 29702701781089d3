"""A company's enrollments by what they have in common: page by page, counted, or locked.

Each way of going through them is the order of an index that is there for another purpose, as a further one would be
written with every step. What no index knows is looked at row by row: a page ends after LOOKED_AT rows, however few of
them are wanted, and says where the next one begins.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from cadence_engine.domain.enrollment import LIVE, Enrollment, Status
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.enrollments.claim import FACTS, KNOWN, Claimed, claimed
from cadence_engine.storage.enrollments.rows import COLUMNS, enrollment

LOOKED_AT = 10_000
EVERY_STATUS = frozenset(Status)

AT_STEP = """EXISTS (
    SELECT FROM cadence_versions v
    WHERE v.company_id = e.company_id AND v.cadence_id = e.cadence_id AND v.version = e.version
        AND v.definition -> 'steps' -> e.step_index ->> 'key' = {})"""
# Live and ended enrollments of a contact are found by two partial indexes.
OF_CONTACT = """(
    SELECT * FROM cadence_enrollments WHERE status IN ('active', 'paused', 'parked')
    UNION ALL SELECT * FROM cadence_enrollments WHERE status IN ('completed', 'cancelled'))"""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Enrollments of one company, of which all that is given is true.

    `_after` includes its moment, `_before` does not. What is due is active: bounds of it leave out all others.
    """

    company_id: str
    statuses: frozenset[Status] = EVERY_STATUS
    cadence_id: UUID | None = None
    version: int | None = None
    """Of the cadence."""
    contact_id: str | None = None
    step_key: str | None = None
    """The next step."""
    due_after: datetime | None = None
    due_before: datetime | None = None
    started_after: datetime | None = None
    started_before: datetime | None = None

    def within(self, statuses: Collection[Status]) -> "Chosen":
        """Those of them that have one of the statuses."""
        return replace(self, statuses=self.statuses & frozenset(statuses))

    def at_step(self, key: str) -> "Chosen":
        """Those of them whose next step is that one."""
        return replace(self, step_key=key)

    @property
    def possible(self) -> frozenset[Status]:
        """The statuses that they can have."""
        bounded = self.due_after is not None or self.due_before is not None
        return self.statuses & {Status.ACTIVE} if bounded else self.statuses


class Way(NamedTuple):
    """An order of enrollments: columns that tell any two apart, and their types."""

    name: str
    columns: tuple[str, ...]
    types: tuple[str, ...]


AS_DUE = Way("due", ("next_run_at", "enrollment_id"), ("timestamptz", "uuid"))
BY_CONTACT = Way("contact", ("contact_id", "cadence_id"), ("text", "uuid"))
"""Of the live ones."""
AS_BEGUN = Way("begun", ("enrollment_id",), ("uuid",))

Place = tuple[object, ...]
"""Where in a way a page ended: the values of its columns."""


class Page(NamedTuple):
    """Some of them. `after`: behind which the next page begins; None: there is no further one."""

    enrollments: Sequence[Enrollment]
    after: Place | None


def way_through(chosen: Chosen) -> Way:
    """The order in which they come."""
    statuses = chosen.possible
    if chosen.contact_id is None and statuses == {Status.ACTIVE}:
        return AS_DUE
    if len(statuses) > 1 and statuses <= LIVE:
        return BY_CONTACT
    return AS_BEGUN


async def page(conn: Connection, chosen: Chosen, *, after: Place | None, rows: int) -> Page:
    """Up to `rows` of them behind `after`, perhaps fewer though there are more; nothing is locked."""
    if not chosen.possible:
        return Page((), None)
    way, terms = way_through(chosen), _Terms(chosen)
    order = ", ".join(way.columns)
    sought, wanted = terms.sought(), terms.looked_at()
    if after is not None:
        place = ", ".join(f"{terms.value(each)}::{type_}" for each, type_ in zip(after, way.types, strict=True))
        sought += f" AND ({order}) > ({place})"
    found = await conn.fetch(
        f"""
        SELECT {COLUMNS}, e.wanted, e.place FROM (
            SELECT *, {wanted} AS wanted FROM (
                SELECT *, row_number() OVER (ORDER BY {order}) AS place FROM {terms.source} e
                WHERE {sought} ORDER BY {order} LIMIT {LOOKED_AT}
            ) AS e
            WHERE {wanted} OR place = {LOOKED_AT} ORDER BY {order} LIMIT {terms.value(rows)}
        ) AS e JOIN cadences k USING (company_id, cadence_id) ORDER BY {", ".join(f"e.{name}" for name in way.columns)}
        """,  # noqa: S608  # constants of this package and numbers of parameters
        *terms.values,
    )
    if not found:
        return Page((), None)
    last = enrollment(found[-1])
    ended = len(found) < rows and found[-1]["place"] < LOOKED_AT
    behind = None if ended else tuple(getattr(last, name) for name in way.columns)
    return Page([enrollment(row) for row in found if row["wanted"]], behind)


async def count(conn: Connection, chosen: Chosen) -> int:
    """How many there are now. Looks at every row that the way through them has."""
    if not chosen.possible:
        return 0
    terms = _Terms(chosen)
    statement = f"SELECT count(*) FROM {terms.source} e WHERE {terms.sought()} AND {terms.looked_at()}"  # noqa: S608
    counted: int = await conn.fetchval(statement, *terms.values)
    return counted


async def lock(conn: Connection, chosen: Chosen, enrollment_ids: Collection[UUID]) -> list[Claimed]:
    """Which of these are still as chosen, locked; waits for a step under way. Their contacts are locked before."""
    return await _with_facts(conn, chosen, enrollment_ids, "FOR UPDATE OF e")


async def with_facts(conn: Connection, chosen: Chosen, enrollment_ids: Collection[UUID]) -> list[Claimed]:
    """The same for those who only look: nothing is locked."""
    return await _with_facts(conn, chosen, enrollment_ids, "")


async def _with_facts(
    conn: Connection, chosen: Chosen, enrollment_ids: Collection[UUID], locking: str
) -> list[Claimed]:
    if not chosen.possible or not enrollment_ids:
        return []
    terms = _Terms(chosen)
    among = f"enrollment_id = ANY({terms.value(enrollment_ids)}::uuid[])"
    rows = await conn.fetch(
        f"""
        WITH e AS MATERIALIZED (
            SELECT * FROM cadence_enrollments e
            WHERE {terms.sought()} AND {terms.looked_at()} AND {among}
            ORDER BY company_id, enrollment_id
            {locking}
        )
        SELECT {COLUMNS}, {FACTS} FROM e {KNOWN} ORDER BY e.enrollment_id
        """,  # noqa: S608  # constants of this package and numbers of parameters
        *terms.values,
    )
    return [claimed(row) for row in rows]


class _Terms:
    """What is chosen in SQL, about the enrollment `e`, and the values of its parameters."""

    def __init__(self, chosen: Chosen) -> None:
        self._chosen = chosen
        self.values: list[object] = []

    def value(self, value: object) -> str:
        """A parameter with that value."""
        self.values.append(value)
        return f"${len(self.values)}"

    @property
    def source(self) -> str:
        """Where to look."""
        return "cadence_enrollments" if self._chosen.contact_id is None else OF_CONTACT

    def sought(self) -> str:
        """What an index knows. The statuses are part of the text, as partial indexes are chosen by them."""
        chosen = self._chosen
        statuses = ", ".join(f"'{status}'" for status in sorted(chosen.possible))
        bounds = (
            ("contact_id =", chosen.contact_id),
            ("next_run_at >=", chosen.due_after),
            ("next_run_at <", chosen.due_before),
        )
        return f"company_id = {self.value(chosen.company_id)} AND status IN ({statuses})" + self._given(bounds)

    def looked_at(self) -> str:
        """What only the row knows."""
        chosen = self._chosen
        bounds = (
            ("cadence_id =", chosen.cadence_id),
            ("version =", chosen.version),
            ("started_at >=", chosen.started_after),
            ("started_at <", chosen.started_before),
        )
        at_step = "" if chosen.step_key is None else f" AND {AT_STEP.format(self.value(chosen.step_key))}"
        return f"(true{self._given(bounds)}{at_step})"

    def _given(self, bounds: Iterable[tuple[str, object]]) -> str:
        return "".join(f" AND {bound} {self.value(value)}" for bound, value in bounds if value is not None)
