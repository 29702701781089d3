"""Moving who is on the way from one version of a cadence to another, batch by batch.

Interrupted between two batches, the move can be begun again: who is moved is no longer in the old version.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from cadence_engine.domain import move as rule
from cadence_engine.domain.cadence import CadenceVersion
from cadence_engine.domain.enrollment import LIVE, Enrollment
from cadence_engine.domain.events import Cause
from cadence_engine.domain.facts import Facts
from cadence_engine.domain.move import Moved, Place
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.apply import tell
from cadence_engine.storage import cadences, contacts, published
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.enrollments import choose, relocate
from cadence_engine.storage.enrollments.choose import Chosen


@dataclass(frozen=True, slots=True)
class Move:
    """From where to where, who wants it and why."""

    old: CadenceVersion
    new: CadenceVersion
    actor: str
    reason: str | None = None

    @property
    def chosen(self) -> Chosen:
        """Whom it is about: who is on the way in the old version."""
        return Chosen(self.old.company_id, LIVE, self.old.cadence_id, version=self.old.version)

    def place(self, index: int) -> Place:
        """Where those go who wait at the position `index` of the old version."""
        return rule.place(self.old.definition, self.new.definition, index)


@dataclass(frozen=True, slots=True)
class NotFound:
    """The company has no cadence with that key."""


@dataclass(frozen=True, slots=True)
class NoSuchVersion:
    """The cadence has no version `wanted`; `known` are those that it has."""

    wanted: int
    known: Sequence[int]


@dataclass(frozen=True, slots=True)
class SameVersion:
    """From and to are one: there is nothing to move."""

    version: int


@dataclass(frozen=True, slots=True)
class Tally:
    """How many wait at each position of the old version, and what changes about their waits.

    `waits_anew`: due at another time than before; `due_at_once` of them now. Those whom `Place.fate` leaves count among
    `waiting_at` only.
    """

    waiting_at: Counter[int] = field(default_factory=Counter)
    waits_anew: int = 0
    due_at_once: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.waiting_at + other.waiting_at,
            self.waits_anew + other.waits_anew,
            self.due_at_once + other.due_at_once,
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of some of them, or would. `after`: behind which the next one begins; None: that was the last."""

    tally: Tally
    after: choose.Place | None


async def prepare_move(
    connection: Connection,
    company_id: str,
    key: str,
    *,
    old: int,
    new: int | None,
    actor: str,
    reason: str | None,
) -> Move | NotFound | NoSuchVersion | SameVersion:
    """The move between two versions of a cadence of the company; `new` None: to its current one."""
    found = (await published.by_key(connection, [(company_id, key)])).get((company_id, key))
    if found is None:
        return NotFound()
    _, cadence_id, current = found.version_key
    numbers = [old, current if new is None else new]
    versions = await cadences.versions(connection, {(company_id, cadence_id, number) for number in numbers})
    for number in numbers:
        if (company_id, cadence_id, number) not in versions:
            return NoSuchVersion(number, range(1, current + 1))
    if numbers[0] == numbers[1]:
        return SameVersion(old)
    was, will_be = (versions[company_id, cadence_id, number] for number in numbers)
    return Move(was, will_be, actor, reason)


async def preview_batch(
    unit: UnitOfWork, move: Move, policy: Policy, *, rows: int, after: choose.Place | None = None
) -> Batch:
    """What `move_batch` would do as things stand; nothing is changed or locked."""
    page = await choose.page(unit.connection, move.chosen, after=after, rows=rows)
    found = await choose.with_facts(unit.connection, move.chosen, [e.enrollment_id for e in page.enrollments])
    tally, _ = _decide(unit, move, policy, found)
    return Batch(tally, page.after)


async def move_batch(
    unit: UnitOfWork, move: Move, policy: Policy, *, rows: int, after: choose.Place | None = None
) -> Batch:
    """Move up to `rows` of them, behind `after` of the last batch. Waits for steps under way, and for replies."""
    page = await choose.page(unit.connection, move.chosen, after=after, rows=rows)
    await contacts.lock(unit.connection, {enrollment.contact_key for enrollment in page.enrollments})
    # A pause or an archiving of the cadence waits for this batch, and then finds it as it will stay.
    await cadences.share(unit.connection, move.old.company_id, move.old.cadence_id)
    locked = await choose.lock(unit.connection, move.chosen, [e.enrollment_id for e in page.enrollments])
    tally, moved = _decide(unit, move, policy, locked)
    await relocate.save(unit.connection, [each.decision for each in moved])
    tell(unit, [each.decision for each in moved])
    return Batch(tally, page.after)


def _decide(
    unit: UnitOfWork, move: Move, policy: Policy, found: Sequence[tuple[Enrollment, Facts]]
) -> tuple[Tally, list[Moved]]:
    cause = Cause(actor=move.actor)
    decided = [
        rule.move(
            enrollment,
            move.old,
            move.new,
            facts.zone(policy.default_time_zone),
            now=unit.now,
            cause=cause,
            note=move.reason,
        )
        for enrollment, facts in found
    ]
    moved = [each for each in decided if each is not None]
    tally = Tally(
        Counter(enrollment.step_index for enrollment, _ in found),
        sum(each.waits_anew for each in moved),
        sum(each.due_at_once for each in moved),
    )
    return tally, moved
