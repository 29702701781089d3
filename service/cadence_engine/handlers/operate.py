"""Operators pause, resume, skip, hasten and cancel enrollments: one, or batch by batch all that are chosen."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from cadence_engine.domain.cadence import CadenceVersion
from cadence_engine.domain.decision import Decision
from cadence_engine.domain.enrollment import Enrollment
from cadence_engine.domain.events import SCHEDULE, Cause
from cadence_engine.domain.facts import Facts
from cadence_engine.domain.operate import AT_WORK, Left, Operation, Resume, Situation, Skip, decide
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.domain.policy import Policy
from cadence_engine.domain.spread import WELL_APART, Spread
from cadence_engine.handlers.apply import apply
from cadence_engine.storage import cadences, contacts
from cadence_engine.storage.cadences import VersionKey
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.enrollments import choose, load, resuming
from cadence_engine.storage.enrollments.choose import Chosen, Place
from cadence_engine.storage.watermark import clock

AS_SAID_BEFORE = "its pause was until now"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done, who wants it and why; `apart`: how far what was overdue when it is resumed is spread."""

    operation: Operation
    actor: str
    reason: str | None = None
    apart: timedelta = WELL_APART


@dataclass(frozen=True, slots=True)
class Done:
    """It is as was asked; `enrollment` is how it stands now."""

    enrollment: Enrollment


@dataclass(frozen=True, slots=True)
class LeftAsIs:
    """Nothing was changed, and why."""

    enrollment: Enrollment
    why: Left


@dataclass(frozen=True, slots=True)
class NotFound:
    """The company has no such enrollment."""


Outcome = Done | LeftAsIs


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of some of them; who was meanwhile no longer as chosen is not among the outcomes.

    `after`: where the next batch begins; None: that was the last. `free_from`: for the next batch, so that what is
    overdue is spread over all of them.
    """

    outcomes: Sequence[Outcome]
    looked_at: int
    after: Place | None
    free_from: datetime

    @property
    def done(self) -> int:
        """How many were changed."""
        return sum(isinstance(outcome, Done) for outcome in self.outcomes)

    @property
    def left(self) -> Counter[Left]:
        """How many were left as they are, by why."""
        return Counter(outcome.why for outcome in self.outcomes if isinstance(outcome, LeftAsIs))


async def operate_on(
    unit: UnitOfWork, company_id: str, enrollment_id: UUID, order: Order, policy: Policy
) -> Outcome | NotFound:
    """Carry out an order about one enrollment of the company."""
    found = await load.one(unit.connection, company_id, enrollment_id)
    if found is None:
        return NotFound()
    outcomes, _ = await _carry_out(unit, Chosen(company_id), [found], order, policy, None)
    return outcomes[0] if outcomes else NotFound()


def eligible(chosen: Chosen, operation: Operation) -> Chosen:
    """Those of the chosen with which the operation may find something to do: what a count should tell beforehand."""
    narrowed = chosen.within(AT_WORK[type(operation)])
    return narrowed.at_step(operation.step_key) if isinstance(operation, Skip) else narrowed


async def operate_on_batch(
    unit: UnitOfWork,
    chosen: Chosen,
    order: Order,
    policy: Policy,
    *,
    rows: int,
    after: Place | None = None,
    free_from: datetime | None = None,
) -> Batch:
    """Carry out an order about up to `rows` of the chosen, behind `after` of the last batch.

    Interrupted between two batches, the order can be given again: what is done is left.
    """
    narrowed = eligible(chosen, order.operation)
    page = await choose.page(unit.connection, narrowed, after=after, rows=rows)
    outcomes, free_from = await _carry_out(unit, narrowed, page.enrollments, order, policy, free_from)
    return Batch(outcomes, len(page.enrollments), page.after, free_from)


@dataclass(frozen=True, slots=True)
class WentOn:
    """How many enrollments a batch of resumptions was about, and `free_from` for the next one."""

    rows: int
    free_from: datetime


async def resume_whose_time_has_come(
    unit: UnitOfWork, policy: Policy, rows: int, free_from: datetime | None = None
) -> WentOn:
    """Let up to `rows` paused enrollments go on, of any company, as was said when they were paused."""
    found = await resuming.find(unit.connection, unit.now, rows)
    if not found:
        return WentOn(0, max(unit.now, free_from or unit.now))
    await contacts.lock(unit.connection, {(company_id, contact_id) for company_id, contact_id, _, _ in found})
    held = await _statuses(unit.connection, {(company_id, cadence_id) for company_id, _, cadence_id, _ in found})
    locked = await resuming.lock(unit.connection, unit.now, [(row[0], row[3]) for row in found])
    now = await clock(unit.connection)
    spread = Spread(max(now, free_from or now), WELL_APART)
    situations = await _situations(unit, locked, held, policy, spread, now)
    decided = [decide(Resume(), e, situation, SCHEDULE, AS_SAID_BEFORE) for e, situation in situations]
    await apply(unit, [each for each in decided if isinstance(each, Decision)])
    return WentOn(len(found), spread.free_from)


async def _carry_out(
    unit: UnitOfWork,
    chosen: Chosen,
    found: Collection[Enrollment],
    order: Order,
    policy: Policy,
    free_from: datetime | None,
) -> tuple[list[Outcome], datetime]:
    await contacts.lock(unit.connection, {enrollment.contact_key for enrollment in found})
    held = await _statuses(unit.connection, {(enrollment.company_id, enrollment.cadence_id) for enrollment in found})
    locked = await choose.lock(unit.connection, chosen, [enrollment.enrollment_id for enrollment in found])
    # Read behind the locks: what another operator made due a moment ago must not seem to be due in the future.
    now = await clock(unit.connection)
    spread = Spread(max(now, free_from or now), order.apart)
    cause = Cause(actor=order.actor)
    outcomes: list[Outcome] = []
    decisions = []
    for enrollment, situation in await _situations(unit, locked, held, policy, spread, now):
        decided = decide(order.operation, enrollment, situation, cause, order.reason)
        if isinstance(decided, Left):
            outcomes.append(LeftAsIs(enrollment, decided))
        else:
            decisions.append(decided)
            outcomes.append(Done(decided.enrollment))
    await apply(unit, decisions)
    return outcomes, spread.free_from


async def _statuses(
    connection: Connection, keys: Collection[tuple[str, UUID]]
) -> Mapping[tuple[str, UUID], CadenceStatus]:
    return {key: status for key, (_, status) in (await cadences.current(connection, keys)).items()}


async def _situations(
    unit: UnitOfWork,
    locked: Sequence[tuple[Enrollment, Facts]],
    held: Mapping[tuple[str, UUID], CadenceStatus],
    policy: Policy,
    spread: Spread,
    now: datetime,
) -> Iterable[tuple[Enrollment, Situation]]:
    keys = {(e.company_id, e.cadence_id, e.version) for e, _ in locked}
    versions: Mapping[VersionKey, CadenceVersion] = await cadences.versions(unit.connection, keys)
    return [
        (
            e,
            Situation(
                version=versions[e.company_id, e.cadence_id, e.version],
                cadence_status=held[e.company_id, e.cadence_id],
                zone=facts.zone(policy.default_time_zone),
                spread=spread,
                now=now,
            ),
        )
        for e, facts in locked
    ]
