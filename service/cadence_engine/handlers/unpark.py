"""Taking up parked enrollments when the missing thing has arrived."""

from collections.abc import Collection
from datetime import datetime

from cadence_engine.domain.advance import Obstacle, address
from cadence_engine.domain.cadence import CadenceVersion
from cadence_engine.domain.contact import ContactKey
from cadence_engine.domain.decision import Decision
from cadence_engine.domain.enrollment import Enrollment
from cadence_engine.domain.events import SCHEDULE
from cadence_engine.domain.facts import Facts
from cadence_engine.domain.park import still_parked
from cadence_engine.domain.park import unpark as unparked
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.handlers.apply import apply
from cadence_engine.storage import cadences, contacts
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.enrollments import claim

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
    versions = await cadences.versions(unit.connection, {(e.company_id, e.cadence_id, e.version) for e, _ in parked})
    decisions = [
        _decide(versions[enrollment.company_id, enrollment.cadence_id, enrollment.version], enrollment, facts, unit.now)
        for enrollment, facts in parked
    ]
    await apply(unit, decisions)


def _decide(version: CadenceVersion, enrollment: Enrollment, facts: Facts, now: datetime) -> Decision:
    step = version.step_at(enrollment.step_index)
    if step is not None and isinstance(address(enrollment, step, facts), Obstacle):
        return still_parked(enrollment, facts)
    return unparked(enrollment, SCHEDULE, now)
