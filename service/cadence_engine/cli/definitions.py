"""Definitions kept in files: apply, diff, export."""

import difflib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, assert_never

import typer
from uuid_utils.compat import uuid7

from cadence_contracts import topics
from cadence_engine import settings
from cadence_engine.cli import output, session
from cadence_engine.cli.session import Actor, Company, Session, external_id
from cadence_engine.definitions import ready, writing
from cadence_engine.definitions.comparing import difference
from cadence_engine.definitions.load import CompanyDefinition, load
from cadence_engine.definitions.problems import BadDefinitions
from cadence_engine.definitions.reading import MAX_CHARACTERS
from cadence_engine.domain.cadence import API, INACTIVITY, CadenceVersion
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.handlers import apply_definition
from cadence_engine.handlers.apply_definition import Created, NewVersion, Proposed, Unchanged, apply_definitions
from cadence_engine.handlers.compare_definitions import Comparison, compare_definitions
from cadence_engine.storage import published

STDIN = "-"
MOST_BYTES = 1024 * 1024
TRIGGERS = (INACTIVITY, API, topics.CONTACT_CREATED, topics.LEAD_CREATED, topics.PURCHASE_COMPLETED)
DIFFERENT, TROUBLE = 1, 2
"""Exit codes of `diff`, as those of the command that everybody knows."""

Files = Annotated[
    list[str], typer.Argument(metavar="FILE...", help=f"YAML files, - for stdin, or {', '.join(ready.NAMES)}.")
]
OwnerOption = Annotated[
    str | None,
    typer.Option(
        "--company", envvar="CADENCE_COMPANY", help="For definitions that name no company.", callback=external_id
    ),
]


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command()(apply)
    app.command()(diff)
    app.command()(export)


def apply(
    what: Files,
    actor: Actor,
    *,
    company: OwnerOption = None,
    check: Annotated[bool, typer.Option("--check", help="Only say what is wrong; no database is needed.")] = False,
) -> None:
    """Publish definitions: all of them, or, if anything is wrong with one, none.

    Who enters from then on takes the new version; those in flight stay on theirs.
    """
    definitions = read(what, company, "nothing was applied")
    if check:
        for each in definitions:
            output.say(f"{each.company_id}/{each.definition.key}: fine")
        return
    warn_of_silent_triggers(definitions)

    async def main(opened: Session) -> list[apply_definition.Outcome]:
        proposed = [Proposed(each.company_id, each.definition, uuid7()) for each in definitions]
        return await opened.run(lambda unit: apply_definitions(unit, proposed, actor))

    for outcome in session.run(main):
        output.say(f"{outcome.version.company_id}/{outcome.version.definition.key}: {said(outcome)}")


def diff(what: Files, *, company: OwnerOption = None) -> None:
    """Show what `apply` would change. Exits with 0: nothing, 1: something, 2: it could not be told."""
    with _trouble():
        definitions = read(what, company, "nothing was compared")

        async def main(opened: Session) -> list[Comparison]:
            async with opened.pool.acquire() as connection:
                return await compare_definitions(connection, definitions)

        compared = session.run(main)
    for each in compared:
        for line in lines_of(each):
            output.say(line)
    if not all(each.same for each in compared):
        raise typer.Exit(DIFFERENT)


@contextmanager
def _trouble() -> Iterator[None]:
    try:
        yield
    except typer.Exit:
        raise typer.Exit(TROUBLE) from None


def lines_of(compared: Comparison) -> list[str]:
    """The difference, headed by what publishing would make of it; none where both say the same."""
    proposed, stands = compared.proposed, compared.published
    if compared.same:
        return []
    name = f"{proposed.company_id}/{proposed.definition.key}"
    if stands is None:
        old, old_name, new_name = None, "nothing", f"{name}, would be created"
    else:
        old, old_name = stands.definition, f"{name}, version {stands.version}{held(stands.status)}"
        new_name = f"{name}, would be version {stands.version + 1}"
    return difference(old, proposed.definition, old_name=old_name, new_name=new_name)


def export(
    company: Company,
    *,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="A file KEY.yaml for each; made if it is not there.")
    ] = None,
) -> None:
    """Write the company's definitions as YAML that `apply` takes again, archived ones left out.

    To stdout as one stream, or a file for each; files of other names in the folder are left as they are.
    """

    async def main(opened: Session) -> list[CadenceVersion]:
        async with opened.pool.acquire() as connection:
            return await published.current_of(connection, company)

    versions = session.run(main)
    if not versions:
        output.warn(f"{company} has no cadence to export")
    texts = {each.definition.key: writing.write(each.definition, company_id=company) for each in versions}
    for key, text in texts.items():
        if len(text) > MAX_CHARACTERS:
            output.warn(f"{key}: more than the {MAX_CHARACTERS // 1024} KiB that `apply` reads of one file")
    if to is not None:
        _write_files(to, texts)
        return
    stream = "---\n".join(texts.values())
    if len(texts) > 1 and len(stream) > MAX_CHARACTERS:
        output.refuse(f"more than the {MAX_CHARACTERS // 1024} KiB that `apply` reads of one file: use --to DIR")
    if stream:
        output.say(stream.rstrip("\n"))


def _write_files(folder: Path, texts: dict[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for key, text in texts.items():
            path = folder / f"{key}.yaml"
            path.write_text(text, encoding="utf-8")
            output.say(str(path))
    except OSError as error:
        output.refuse(f"{error.filename or folder}: cannot be written: {error.strerror}")


def read(what: Sequence[str], company: str | None, otherwise: str) -> list[CompanyDefinition]:
    """The definitions of these files; ends the command with all that is wrong with them, and with `otherwise`."""
    try:
        return load([(name, text_of(name)) for name in what], company)
    except BadDefinitions as bad:
        count = len(bad.problems)
        output.refuse(f"{bad}\n{count} problem{'s' if count > 1 else ''}: {otherwise}.")


def text_of(name: str) -> str:
    """Of a file, of stdin, or a ready one; ends the command where it cannot be read."""
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


def said(outcome: apply_definition.Outcome) -> str:
    """What came of publishing a definition."""
    match outcome:
        case Created(_, status):
            return f"created, version 1, {status}"
        case NewVersion(version, status):
            return f"version {version.version}{held(status)}; enrollments in flight stay on theirs"
        case Unchanged(version, status):
            return f"unchanged, version {version.version}{held(status)}"
    assert_never(outcome)


def held(status: CadenceStatus) -> str:
    """What to add where publishing does not make it run."""
    match status:
        case CadenceStatus.ACTIVE:
            return ""
        case CadenceStatus.PAUSED:
            return ", paused as before"
        case CadenceStatus.ARCHIVED:
            return ", archived as before (see `cadence-engine unarchive`)"
    assert_never(status)


def warn_of_silent_triggers(definitions: Sequence[CompanyDefinition]) -> None:
    """Say which of them nothing triggers here."""
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
