"""Cadences to look at: list, show, versions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

import typer

from cadence_engine.cli import halts as halting
from cadence_engine.cli import output, session
from cadence_engine.cli.output import Refused
from cadence_engine.cli.session import Company, Json, Key, Session
from cadence_engine.definitions import ready, writing
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.storage import cadences, halts, published
from cadence_engine.storage.halts import Halt
from cadence_engine.storage.published import VersionLine
from cadence_engine.storage.reports import cadences as reports
from cadence_engine.storage.reports.cadences import CadenceLine

LIVE = ("active", "paused", "parked")


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command("list")(list_)
    app.command()(show)
    app.command()(versions)


def list_(
    company: Company,
    *,
    archived: Annotated[bool, typer.Option("--archived", help="With those that are archived.")] = False,
    as_json: Json = False,
) -> None:
    """The company's cadences, and how many contacts are in them."""

    async def main(opened: Session) -> tuple[list[CadenceLine], Sequence[Halt]]:
        async with opened.pool.acquire() as connection:
            lines = await reports.listed(connection, company, archived=archived)
            return lines, await halts.holding(connection, company)

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


def versions(key: Key, company: Company, *, as_json: Json = False) -> None:
    """A cadence's versions, newest first, and how many contacts are on their way in each."""

    async def main(opened: Session) -> list[VersionLine]:
        async with opened.pool.acquire() as connection:
            known = await cadences.keys_of(connection, company)
            if key not in known:
                raise unknown(known, company, key)
            return await published.versions_of(connection, company, known[key])

    lines = session.run(main)
    if as_json:
        output.as_json(lines)
        return
    rows = [(line.version, output.at(line.created_at), line.actor, line.live) for line in lines]
    output.table(("version", "published", "by", "live"), rows)


def _told(line: CadenceLine) -> Iterator[str]:
    yield f"{line.company_id}/{line.key}, version {line.version}, {_status(line)}"
    if line.status is not CadenceStatus.ACTIVE:
        yield f"{line.status} by {line.actor}" + (f": {line.reason}" if line.reason else "")
    entered = sum(line.counts.values())
    parts = [f"{amount} {state.replace(':', ' ')}" for state, amount in sorted(line.counts.items())]
    yield f"entered: {entered}" + (f" ({', '.join(parts)})" if parts else "")


def _status(line: CadenceLine) -> str:
    return line.status.value if line.settled else f"{line.status.value}, moving"


def unknown(known: Mapping[str, UUID], company: str, key: str) -> Refused:
    """What to say of a key that is not among those of the company."""
    if not known:
        return Refused(f"{company} has no cadence at all: see `cadence-engine apply`")
    return Refused(f"{company} has no cadence `{key}`; it has {', '.join(known)}")
