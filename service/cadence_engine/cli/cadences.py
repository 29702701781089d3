"""Cadences: apply, list, show, pause, resume."""

import difflib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, assert_never
from uuid import UUID

import typer
from uuid_utils.compat import uuid7

from cadence_contracts import topics
from cadence_engine import settings
from cadence_engine.cli import halts as halting
from cadence_engine.cli import output, session, settling
from cadence_engine.cli.output import Refused
from cadence_engine.cli.session import Actor, Company, Json, Key, Session, external_id
from cadence_engine.definitions import ready, writing
from cadence_engine.definitions.load import CompanyDefinition, load
from cadence_engine.definitions.problems import BadDefinitions
from cadence_engine.domain.cadence import API, INACTIVITY
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.handlers import apply_definition
from cadence_engine.handlers.apply_definition import Created, NewVersion, Proposed, Unchanged, apply_definitions
from cadence_engine.handlers.cadence_status import (
    AlreadySo,
    Flagged,
    NotFound,
    StillMoving,
    pause_cadence,
    resume_cadence,
)
from cadence_engine.handlers.unpark import Retried, retry_parked
from cadence_engine.storage import cadences, halts
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.halts import Halt
from cadence_engine.storage.reports import cadences as reports
from cadence_engine.storage.reports.cadences import CadenceLine

STDIN = "-"
MOST_BYTES = 1024 * 1024
TRIGGERS = (INACTIVITY, API, topics.CONTACT_CREATED, topics.LEAD_CREATED, topics.PURCHASE_COMPLETED)
LIVE = ("active", "paused", "parked")

Reason = Annotated[str | None, typer.Option("--reason", help="Why, for the log.")]


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command()(apply)
    app.command("list")(list_)
    app.command()(show)
    app.command()(pause)
    app.command()(resume)
    app.command()(unpark)


def apply(
    what: Annotated[
        list[str], typer.Argument(metavar="FILE...", help=f"YAML files, - for stdin, or {', '.join(ready.NAMES)}.")
    ],
    actor: Actor,
    *,
    company: Annotated[
        str | None,
        typer.Option(envvar="CADENCE_COMPANY", help="For definitions that name no company.", callback=external_id),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only say what is wrong; no database is needed.")] = False,
) -> None:
    """Publish definitions: all of them, or, if anything is wrong with one, none.

    Who enters from then on takes the new version; those in flight stay on theirs.
    """
    try:
        definitions = load([(name, _text(name)) for name in what], company)
    except BadDefinitions as bad:
        count = len(bad.problems)
        output.refuse(f"{bad}\n{count} problem{'s' if count > 1 else ''}: nothing was applied.")
    if check:
        for each in definitions:
            output.say(f"{each.company_id}/{each.definition.key}: fine")
        return
    _warn_of_silent_triggers(definitions)

    async def main(opened: Session) -> list[apply_definition.Outcome]:
        proposed = [Proposed(each.company_id, each.definition, uuid7()) for each in definitions]
        return await opened.run(lambda unit: apply_definitions(unit, proposed, actor))

    for outcome in session.run(main):
        output.say(f"{outcome.version.company_id}/{outcome.version.definition.key}: {_said(outcome)}")


def _text(name: str) -> str:
    if name in ready.NAMES:
        return ready.text_of(name)
    try:
        if name == STDIN:
            content = sys.stdin.buffer.read(MOST_BYTES)
        else:
            with Path(name).open("rb") as file:
                content = file.read(MOST_BYTES)
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        output.refuse(f"{name}: no such file, and no ready cadence either ({', '.join(ready.NAMES)})")
    except OSError as error:
        output.refuse(f"{name}: cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        output.refuse(f"{name}:{line}: not UTF-8: save the file in that encoding")


def _said(outcome: apply_definition.Outcome) -> str:
    match outcome:
        case Created():
            return "created, version 1, active"
        case NewVersion(version, status):
            held = ", paused as before" if status is CadenceStatus.PAUSED else ""
            return f"version {version.version}{held}; enrollments in flight stay on theirs"
        case Unchanged(version, _):
            return f"unchanged, version {version.version}"
    assert_never(outcome)


def _warn_of_silent_triggers(definitions: Sequence[CompanyDefinition]) -> None:
    known = (*TRIGGERS, *settings.load().trigger_topics)
    for each in definitions:
        event = each.definition.trigger.event
        if event not in known:
            close = difflib.get_close_matches(event, known, n=1)
            meant = f" Did you mean {close[0]}?" if close else ""
            output.warn(
                f"{each.definition.key}: no topic here brings {event}, so nobody will enter: "
                f"name it in CADENCE_TRIGGER_TOPICS.{meant}"
            )


def list_(company: Company, *, as_json: Json = False) -> None:
    """The company's cadences, and how many contacts are in them."""

    async def main(opened: Session) -> tuple[list[CadenceLine], Sequence[Halt]]:
        async with opened.pool.acquire() as connection:
            return await reports.listed(connection, company), await halts.holding(connection, company)

    lines, halted = session.run(main)
    if as_json:
        output.as_json(lines)
    elif not lines:
        output.say(f"{company} has no cadence. Begin with: cadence-engine apply {ready.NAMES[0]} --company {company}")
    else:
        output.table(
            ("key", "name", "trigger", "status", "version", *LIVE),
            [
                (line.key, line.name, line.trigger, _status(line), line.version, *(line.counts.get(s, 0) for s in LIVE))
                for line in lines
            ],
        )
        for line in halting.holding(halted):
            output.say(line)


def show(key: Key, company: Company, *, as_json: Json = False) -> None:
    """A cadence's current definition, as YAML that can be applied again, and how its enrollments went."""

    async def main(opened: Session) -> tuple[CadenceLine, dict[str, Any], str]:
        async with opened.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            line = await reports.one(connection, company, key)
            if line is None:
                raise unknown(await cadences.keys_of(connection, company), company, key)
            found = await cadences.versions(connection, [line.version_key])
            definition = found[line.version_key].definition
            return line, writing.as_written(definition), writing.write(definition)

    line, keys, text = session.run(main)
    if as_json:
        output.as_json({**asdict(line), "definition": keys})
        return
    for told in _told(line):
        output.say(f"# {told}")
    output.say(text.rstrip())


def _told(line: CadenceLine) -> Iterator[str]:
    yield f"{line.company_id}/{line.key}, version {line.version}, {_status(line)}"
    if line.status is CadenceStatus.PAUSED:
        yield f"paused by {line.actor}" + (f": {line.reason}" if line.reason else "")
    entered = sum(line.counts.values())
    parts = [f"{amount} {state.replace(':', ' ')}" for state, amount in sorted(line.counts.items())]
    yield f"entered: {entered}" + (f" ({', '.join(parts)})" if parts else "")


def _status(line: CadenceLine) -> str:
    return line.status.value if line.settled else f"{line.status.value}, moving"


def pause(key: Key, company: Company, actor: Actor, *, reason: Reason = None) -> None:
    """Let nobody enter and no step run; each enrollment keeps the rest of its wait. Done when it says so."""

    async def main(opened: Session) -> str:
        outcome = await opened.run(lambda unit: pause_cadence(unit, company, key, actor=actor, reason=reason))
        match outcome:
            case NotFound():
                raise await _unknown(opened, company, key)
            case AlreadySo(cadence) if cadence.settled:
                return f"{key} is paused already, by {cadence.actor} since {output.at(cadence.status_at)}"
            case Flagged(cadence) | AlreadySo(cadence):
                moved = await settling.settle(opened, cadence)
                return f"{key} is paused: nothing of it runs any more; {moved} enrollments keep the rest of their wait"
        assert_never(outcome)

    output.say(session.run(main))


def resume(key: Key, company: Company, actor: Actor, *, reason: Reason = None) -> None:
    """Go on where it was paused: the rest of each wait begins now, so that nothing bursts."""

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
                case _:
                    assert_never(outcome)

    output.say(session.run(main))


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


def unknown(known: dict[str, UUID], company: str, key: str) -> Refused:
    """What to say of a key that is not among those of the company."""
    if not known:
        return Refused(f"{company} has no cadence at all: see `cadence-engine apply`")
    return Refused(f"{company} has no cadence `{key}`; it has {', '.join(known)}")
