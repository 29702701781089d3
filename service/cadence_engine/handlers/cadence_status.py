"""Pausing, resuming and archiving a cadence: a flag that holds at once, then its live enrollments, batch by batch.

The flag alone would leave the claim to skip held rows for ever; moving all rows at once would hold locks for long.
"""

from dataclasses import dataclass
from typing import assert_never

from cadence_engine.domain import pause as rule
from cadence_engine.domain.cancel import CancelReason, cancel
from cadence_engine.domain.decision import Decision
from cadence_engine.domain.enrollment import Enrollment, PausedBy
from cadence_engine.domain.events import Cause
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.domain.resume import shift
from cadence_engine.domain.spread import WELL_APART, Spread
from cadence_engine.handlers.apply import apply
from cadence_engine.storage import cadences, contacts, holding
from cadence_engine.storage.cadences import Cadence
from cadence_engine.storage.database import UnitOfWork


@dataclass(frozen=True, slots=True)
class Flagged:
    """The status holds from now on for who enters and for what runs; live enrollments are still to be moved."""

    cadence: Cadence


@dataclass(frozen=True, slots=True)
class AlreadySo:
    """It had that status before; `cadence.settled` tells whether all enrollments have followed."""

    cadence: Cadence


@dataclass(frozen=True, slots=True)
class NotFound:
    """The company has no cadence with that key."""


@dataclass(frozen=True, slots=True)
class StillMoving:
    """The status is not settled: enrollments that a pause has not reached would run their arrears at once, and those
    that the archiving has not reached would live on.
    """

    cadence: Cadence


@dataclass(frozen=True, slots=True)
class IsArchived:
    """Out of use: to be unarchived first."""

    cadence: Cadence


@dataclass(frozen=True, slots=True)
class NotArchived:
    """There is nothing to take back."""

    cadence: Cadence


@dataclass(frozen=True, slots=True)
class Moved:
    """One batch of a cadence. `after`: the contact that the next batch starts behind, None where it starts anew."""

    cadence: Cadence
    rows: int = 0
    after: str | None = None
    settled: bool = False
    """None is left: every enrollment fits the cadence's status."""
    superseded: bool = False
    """The status was set again meanwhile: `cadence` is no longer how it stands."""


async def pause_cadence(
    unit: UnitOfWork, company_id: str, key: str, *, actor: str, reason: str | None
) -> Flagged | AlreadySo | NotFound | IsArchived:
    """Hold the cadence. Waits for enrollments under way; later ones are refused."""
    cadence = await cadences.lock(unit.connection, company_id, key)
    if cadence is None:
        return NotFound()
    if cadence.status is CadenceStatus.PAUSED:
        return AlreadySo(cadence)
    if cadence.status is CadenceStatus.ARCHIVED:
        return IsArchived(cadence)
    return Flagged(await cadences.set_status(unit.connection, cadence, CadenceStatus.PAUSED, actor, reason))


async def resume_cadence(
    unit: UnitOfWork, company_id: str, key: str, *, actor: str, reason: str | None
) -> Flagged | AlreadySo | NotFound | StillMoving | IsArchived:
    """Let a settled pause end."""
    cadence = await cadences.lock(unit.connection, company_id, key)
    if cadence is None:
        return NotFound()
    if cadence.status is CadenceStatus.ACTIVE:
        return AlreadySo(cadence)
    if cadence.status is CadenceStatus.ARCHIVED:
        return IsArchived(cadence)
    if not cadence.settled:
        return StillMoving(cadence)
    return Flagged(await cadences.set_status(unit.connection, cadence, CadenceStatus.ACTIVE, actor, reason))


async def archive_cadence(
    unit: UnitOfWork, company_id: str, key: str, *, actor: str, reason: str | None
) -> Flagged | AlreadySo | NotFound:
    """Take the cadence out of use: nobody enters, and whoever is in it is cancelled. Its history stays."""
    cadence = await cadences.lock(unit.connection, company_id, key)
    if cadence is None:
        return NotFound()
    if cadence.status is CadenceStatus.ARCHIVED:
        return AlreadySo(cadence)
    return Flagged(await cadences.set_status(unit.connection, cadence, CadenceStatus.ARCHIVED, actor, reason))


async def unarchive_cadence(
    unit: UnitOfWork, company_id: str, key: str, *, actor: str, reason: str | None
) -> Flagged | NotArchived | NotFound | StillMoving:
    """Take a settled archiving back: the cadence is paused then. Whom it cancelled stays cancelled."""
    cadence = await cadences.lock(unit.connection, company_id, key)
    if cadence is None:
        return NotFound()
    if cadence.status is not CadenceStatus.ARCHIVED:
        return NotArchived(cadence)
    if not cadence.settled:
        return StillMoving(cadence)
    return Flagged(await cadences.set_status(unit.connection, cadence, CadenceStatus.PAUSED, actor, reason))


async def move_unsettled(
    unit: UnitOfWork, rows: int, *, cadence: Cadence | None = None, after: str | None = None
) -> Moved | None:
    """Move up to `rows` live enrollments of `cadence`, or of any that is unsettled; None where there is none.

    `after` of the last batch saves going over what it moved; without it nothing is missed either.
    """
    found = cadence or await cadences.next_unsettled(unit.connection)
    if found is None:
        return None
    misfits = await holding.next_misfits(unit.connection, found, after=after, rows=rows)
    if not misfits and after is None:
        settled = await cadences.settle(unit.connection, found)
        return Moved(found, settled=settled, superseded=not settled)
    if not misfits:
        return Moved(found)
    await contacts.lock(unit.connection, [(found.company_id, contact_id) for contact_id, _ in misfits])
    current = await _held_as_it_is(unit, found)
    if current is None or current.status_at != found.status_at:
        return Moved(found, superseded=True)
    locked = await holding.lock_misfits(unit.connection, found, [enrollment_id for _, enrollment_id in misfits])
    first = max(unit.now, current.free_from or unit.now)
    spread = Spread(first, WELL_APART)
    await apply(unit, [_decide(current, enrollment, spread, unit) for enrollment in locked])
    if spread.free_from != first:
        await cadences.note_free_from(unit.connection, current, spread.free_from)
    return Moved(found, len(locked), misfits[-1][0])


async def _held_as_it_is(unit: UnitOfWork, cadence: Cadence) -> Cadence | None:
    # Who resumes has it alone: whatever is overdue goes one after the other, though several may be moving them.
    if cadence.status is CadenceStatus.ACTIVE:
        return await cadences.lock(unit.connection, cadence.company_id, cadence.key)
    return await cadences.share(unit.connection, cadence.company_id, cadence.cadence_id)


def _decide(cadence: Cadence, enrollment: Enrollment, spread: Spread, unit: UnitOfWork) -> Decision:
    cause, reason = Cause(actor=cadence.actor), cadence.reason
    match cadence.status:
        case CadenceStatus.ACTIVE:
            return shift(enrollment, spread, now=unit.now, cause=cause, reason=reason)
        case CadenceStatus.PAUSED:
            held_at = cadence.status_at
            return rule.pause(
                enrollment, by=PausedBy.CADENCE, held_at=held_at, now=unit.now, cause=cause, reason=reason
            )
        case CadenceStatus.ARCHIVED:
            return cancel(enrollment, CancelReason.CADENCE_ARCHIVED, cause, unit.now, note=reason)
    assert_never(cadence.status)
