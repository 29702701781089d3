"""What a cadence does: pause, resume, archive, unarchive, unpark."""

from typing import assert_never
from uuid import UUID

import typer

from cadence_engine.cli import consent, output, session, settling
from cadence_engine.cli.cadences import unknown
from cadence_engine.cli.output import Refused
from cadence_engine.cli.session import Actor, Company, Key, Reason, Session, Yes
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.handlers.cadence_status import (
    AlreadySo,
    Flagged,
    IsArchived,
    NotArchived,
    NotFound,
    StillMoving,
    archive_cadence,
    pause_cadence,
    resume_cadence,
    unarchive_cadence,
)
from cadence_engine.handlers.unpark import Retried, retry_parked
from cadence_engine.storage import cadences, holding
from cadence_engine.storage.cadences import Cadence
from cadence_engine.storage.database import UnitOfWork


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command()(pause)
    app.command()(resume)
    app.command()(archive)
    app.command()(unarchive)
    app.command()(unpark)


def pause(key: Key, company: Company, actor: Actor, *, reason: Reason = None) -> None:
    """Let nobody enter and no step run; each enrollment keeps the rest of its wait. Done when it says so."""

    async def main(opened: Session) -> str:
        outcome = await opened.run(lambda unit: pause_cadence(unit, company, key, actor=actor, reason=reason))
        match outcome:
            case NotFound():
                raise await _unknown(opened, company, key)
            case AlreadySo(cadence) if cadence.settled:
                return _already("paused", cadence)
            case Flagged(cadence) | AlreadySo(cadence):
                moved = await settling.settle(opened, cadence)
                return f"{key} is paused: nothing of it runs any more; {moved} enrollments keep the rest of their wait"
            case IsArchived():
                raise _archived(key)
        assert_never(outcome)

    output.say(session.run(main))


def resume(key: Key, company: Company, actor: Actor, *, reason: Reason = None) -> None:
    """Activate a paused cadence: the rest of each wait begins now. What was overdue goes one after the other, ten a
    second, so that nothing bursts; `enrollment run-now` lets them go at once.
    """

    async def main(opened: Session) -> str:
        while True:
            outcome = await opened.run(lambda unit: resume_cadence(unit, company, key, actor=actor, reason=reason))
            match outcome:
                case NotFound():
                    raise await _unknown(opened, company, key)
                case StillMoving(cadence):
                    await settling.settle(opened, cadence)
                case AlreadySo(cadence) if cadence.settled:
                    return f"{key} is active already"
                case Flagged(cadence) | AlreadySo(cadence):
                    moved = await settling.settle(opened, cadence)
                    return f"{key} is active again; {moved} enrollments go on with the rest of their wait"
                case IsArchived():
                    raise _archived(key)
                case _:
                    assert_never(outcome)

    output.say(session.run(main))


def archive(
    key: Key,
    company: Company,
    actor: Actor,
    *,
    reason: Reason = None,
    yes: Yes = False,
) -> None:
    """Take a cadence out of use: nobody enters, whoever is in it is cancelled, and `list` leaves it out.

    Its history stays. `unarchive` brings it back, but nobody whom this cancels.
    """

    async def main(opened: Session) -> str:
        await _ask_before_archiving(opened, company, key, yes=yes)
        outcome = await opened.run(lambda unit: archive_cadence(unit, company, key, actor=actor, reason=reason))
        match outcome:
            case NotFound():
                raise await _unknown(opened, company, key)
            case AlreadySo(cadence) if cadence.settled:
                return _already("archived", cadence)
            case Flagged(cadence) | AlreadySo(cadence):
                moved = await settling.settle(opened, cadence)
                return f"{key} is archived: {moved} enrollments are cancelled"
        assert_never(outcome)

    output.say(session.run(main))


async def _ask_before_archiving(opened: Session, company: str, key: str, *, yes: bool) -> None:
    if yes:
        return
    cadence = await opened.run(lambda unit: cadences.lock(unit.connection, company, key))
    if cadence is None:
        raise await _unknown(opened, company, key)
    live = await opened.run(lambda unit: holding.count_misfits(unit.connection, cadence, status=CadenceStatus.ARCHIVED))
    if live:
        consent.ask(f"{live} enrollments of {key} would be cancelled", yes=False)


def unarchive(key: Key, company: Company, actor: Actor, *, reason: Reason = None) -> None:
    """Bring an archived cadence back, paused: `resume` lets contacts enter again. Who was cancelled stays so."""

    async def main(opened: Session) -> str:
        while True:
            outcome = await opened.run(lambda unit: unarchive_cadence(unit, company, key, actor=actor, reason=reason))
            match outcome:
                case NotFound():
                    raise await _unknown(opened, company, key)
                case NotArchived(cadence):
                    return f"{key} is not archived: it is {cadence.status}"
                case StillMoving(cadence):
                    await settling.settle(opened, cadence)
                case Flagged(cadence):
                    await settling.settle(opened, cadence)
                    return f"{key} is back, paused: `cadence-engine resume {key}` lets contacts enter"
                case _:
                    assert_never(outcome)

    output.say(session.run(main))


def _already(status: str, cadence: Cadence) -> str:
    because = f": {cadence.reason}" if cadence.reason else ", without a reason"
    since = f"by {cadence.actor} since {output.at(cadence.status_at)}{because}"
    return f"{cadence.key} is {status} already, {since}; that stays as it is"


def _archived(key: str) -> Refused:
    return Refused(f"{key} is archived: `cadence-engine unarchive {key}` first")


async def _unknown(opened: Session, company: str, key: str) -> Refused:
    return unknown(await opened.run(lambda unit: cadences.keys_of(unit.connection, company)), company, key)


def unpark(key: Key, company: Company, actor: Actor) -> None:
    """Look again at what a cadence has parked, whatever the reason, after it was mended; what still lacks stays."""

    async def main(opened: Session) -> tuple[int, int]:
        cadence = await opened.run(lambda unit: cadences.find(unit.connection, company, key=key))
        if cadence is None:
            async with opened.pool.acquire() as connection:
                raise unknown(await cadences.keys_of(connection, company), company, key)
        version, status = cadence
        if status is CadenceStatus.PAUSED:
            raise Refused(f"{key} is paused: `cadence-engine resume {key}` first")
        if status is CadenceStatus.ARCHIVED:
            raise _archived(key)
        looked_at = going_on = 0
        after: UUID | None = None
        while True:

            async def retry(unit: UnitOfWork, behind: UUID | None = after) -> Retried:
                return await retry_parked(unit, company, version.cadence_id, after=behind, actor=actor)

            batch = await opened.run(retry)
            looked_at, going_on, after = looked_at + batch.looked_at, going_on + batch.going_on, batch.after
            if after is None:
                return looked_at, going_on

    looked_at, going_on = session.run(main)
    output.say(f"{looked_at} parked enrollments looked at, {going_on} go on; `status CONTACT` says what others lack")
