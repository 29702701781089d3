"""Taking up parked enrollments when the missing thing has arrived."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cadence_engine.domain.advance import Obstacle, address
from cadence_engine.domain.cadence import CadenceVersion
from cadence_engine.domain.contact import ContactKey
from cadence_engine.domain.decision import Decision
from cadence_engine.domain.enrollment import Enrollment, Status
from cadence_engine.domain.events import SCHEDULE, Cause
from cadence_engine.domain.facts import Facts
from cadence_engine.domain.park import park, still_parked
from cadence_engine.domain.park import unpark as unparked
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.handlers.apply import apply
from cadence_engine.storage import cadences, contacts
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.enrollments import claim
from cadence_engine.storage.enrollments.claim import Claimed

RECHECKED_ROWS = 500


async def recheck_parked(unit: UnitOfWork) -> int:
    """Look again at a batch of contacts whose facts changed since an enrollment was parked; answers how many contacts.

    Finds what `unpark` could not: an enrollment that was being parked while its contact changed, and changes of a
    company or a lead.
    """
    keys = await claim.contacts_with_stale_parked(unit.connection, RECHECKED_ROWS)
    locked = await contacts.lock(unit.connection, set(keys))
    await unpark(unit, locked)
    return len(keys)


async def unpark(unit: UnitOfWork, keys: Collection[ContactKey]) -> None:
    """Take up what these contacts, which are locked, have parked and can be sent now; it runs when it was due: at once.

    A paused cadence keeps its parked enrollments; they are looked at again when it goes on.
    """
    waiting = await claim.cadences_of_parked(unit.connection, keys)
    current = await cadences.current(unit.connection, waiting)
    active = {key for key, (_, status) in current.items() if status is CadenceStatus.ACTIVE}
    if not active:
        return
    parked = [
        (enrollment, facts)
        for enrollment, facts in await claim.parked_of(unit.connection, keys)
        if (enrollment.company_id, enrollment.cadence_id) in active
    ]
    await _take_up(unit, parked, SCHEDULE)


@dataclass(frozen=True, slots=True)
class Retried:
    """One batch. `after`: where the next one starts; None: that was the last."""

    looked_at: int
    going_on: int
    after: UUID | None


async def retry_parked(
    unit: UnitOfWork, company_id: str, cadence_id: UUID, *, after: UUID | None, actor: str
) -> Retried:
    """An operator has mended what parked a cadence's enrollments: look at a batch of them again, whatever the reason.

    Nothing goes on while the cadence is paused.
    """
    found = await claim.parked_in(unit.connection, company_id, cadence_id, after=after, rows=RECHECKED_ROWS)
    if not found:
        return Retried(0, 0, None)
    await contacts.lock(unit.connection, {(company_id, contact_id) for contact_id, _ in found})
    cadence = await cadences.share(unit.connection, company_id, cadence_id)
    if cadence is None or cadence.status is not CadenceStatus.ACTIVE:
        return Retried(0, 0, None)
    parked = await claim.parked_by_id(unit.connection, company_id, [enrollment_id for _, enrollment_id in found])
    going_on = await _take_up(unit, parked, Cause(actor=actor))
    return Retried(len(parked), going_on, found[-1][1] if len(found) == RECHECKED_ROWS else None)


async def _take_up(unit: UnitOfWork, parked: Sequence[Claimed], cause: Cause) -> int:
    versions = await cadences.versions(unit.connection, {(e.company_id, e.cadence_id, e.version) for e, _ in parked})
    decisions = [
        _decide(
            versions[enrollment.company_id, enrollment.cadence_id, enrollment.version],
            enrollment,
            facts,
            cause,
            unit.now,
        )
        for enrollment, facts in parked
    ]
    await apply(unit, decisions)
    return sum(decision.enrollment.status is Status.ACTIVE for decision in decisions)


def _decide(version: CadenceVersion, enrollment: Enrollment, facts: Facts, cause: Cause, now: datetime) -> Decision:
    step = version.step_at(enrollment.step_index)
    obstacle = None if step is None else address(enrollment, step, facts)
    if isinstance(obstacle, Obstacle):
        if (obstacle.reason, obstacle.detail) == (enrollment.park_reason, enrollment.park_detail):
            return still_parked(enrollment, facts)
        return park(enrollment, obstacle.reason, obstacle.detail, facts, now)
    return unparked(enrollment, cause, now)
