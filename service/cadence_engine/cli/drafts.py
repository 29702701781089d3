"""Drafts: definitions that are being edited, before they are published."""

from dataclasses import asdict
from typing import Annotated, assert_never

import typer
from uuid_utils.compat import uuid7

from cadence_engine.cli import definitions, output, session
from cadence_engine.cli.output import Refused, at
from cadence_engine.cli.session import Actor, Company, Json, Key, Session
from cadence_engine.definitions import writing
from cadence_engine.definitions.load import CompanyDefinition
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.handlers.apply_definition import Created, NewVersion, Unchanged
from cadence_engine.handlers.compare_definitions import compare_definitions
from cadence_engine.handlers.drafts import (
    NONE,
    Discarded,
    NoDraft,
    Outdated,
    Overtaken,
    Saved,
    discard_draft,
    publish_draft,
    save_draft,
)
from cadence_engine.storage import drafts as storage
from cadence_engine.storage.drafts import Draft

Revision = Annotated[int, typer.Option("--revision", min=1, help="Of the draft that you looked at.")]

commands = typer.Typer(
    name="draft",
    help="Edit a definition over time, then publish it. Drafts touch nothing that runs.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.add_typer(commands)


@commands.command()
def save(
    what: Annotated[str, typer.Argument(metavar="FILE", help="A YAML file with one definition, or - for stdin.")],
    actor: Actor,
    *,
    company: definitions.OwnerOption = None,
    revision: Annotated[
        int, typer.Option("--revision", min=NONE, help="Of the draft that you edited; none for a new draft.")
    ] = NONE,
) -> None:
    """Keep a definition as the draft under its key. Refused if somebody else has saved another meanwhile."""
    loaded = definitions.read([what], company, "nothing was saved")
    if len(loaded) > 1:
        output.refuse(f"{what}: {len(loaded)} definitions, and a draft is of one: save each by itself")
    owner, definition = loaded[0].company_id, loaded[0].definition
    definitions.warn_of_silent_triggers(loaded)

    async def main(opened: Session) -> Saved | Outdated:
        return await opened.run(lambda unit: save_draft(unit, owner, definition, expected=revision, actor=actor))

    match session.run(main):
        case Saved(draft):
            output.say(f"{owner}/{draft.key}: draft saved, revision {draft.revision}")
        case Outdated() as outdated:
            output.refuse(_outdated(definition.key, outdated))


@commands.command("list")
def list_(company: Company, *, as_json: Json = False) -> None:
    """The company's drafts."""

    async def main(opened: Session) -> list[Draft]:
        async with opened.pool.acquire() as connection:
            return await storage.listed(connection, company)

    found = session.run(main)
    if as_json:
        output.as_json([_plain(draft) for draft in found])
        return
    rows = [(d.key, d.definition.name, d.revision, d.based_on, d.actor, at(d.edited_at)) for d in found]
    output.table(("key", "name", "revision", "on version", "by", "edited"), rows)


@commands.command()
def show(key: Key, company: Company, *, as_json: Json = False) -> None:
    """A draft as YAML, to be edited and saved again."""
    draft = session.run(lambda opened: _one(opened, company, key))
    if as_json:
        output.as_json(_plain(draft))
        return
    begun = "begun anew" if draft.based_on is None else f"begun on version {draft.based_on}"
    output.say(
        f"# draft of {company}/{key}, revision {draft.revision}, by {draft.actor} {at(draft.edited_at)}, {begun}"
    )
    output.say(writing.write(draft.definition).rstrip())


@commands.command()
def diff(key: Key, company: Company) -> None:
    """Show what publishing a draft would change."""

    async def main(opened: Session) -> list[str]:
        draft = await _one(opened, company, key)
        async with opened.pool.acquire() as connection:
            compared = await compare_definitions(connection, [CompanyDefinition(company, draft.definition)])
        return definitions.lines_of(compared[0])

    for line in session.run(main):
        output.say(line)


@commands.command()
def publish(
    key: Key,
    company: Company,
    actor: Actor,
    revision: Revision,
    *,
    paused: Annotated[
        bool, typer.Option("--paused", help="A new cadence waits for `resume` instead of being active at once.")
    ] = False,
) -> None:
    """Make the draft the version that contacts enter from now on; those in flight stay on theirs."""
    status = CadenceStatus.PAUSED if paused else CadenceStatus.ACTIVE

    async def main(opened: Session) -> Created | NewVersion | Unchanged | NoDraft | Outdated | Overtaken:
        return await opened.run(
            lambda unit: publish_draft(
                unit, company, key, expected=revision, cadence_id=uuid7(), actor=actor, status=status
            )
        )

    outcome = session.run(main)
    match outcome:
        case Created() | NewVersion() | Unchanged():
            output.say(f"{company}/{key}: {definitions.said(outcome)}")
        case NoDraft():
            output.refuse(str(_no_draft(company, key)))
        case Outdated():
            output.refuse(_outdated(key, outcome))
        case Overtaken(draft, current):
            begun = "before there was any version" if draft.based_on is None else f"on version {draft.based_on}"
            output.refuse(
                f"the draft of {key} was begun {begun}, and version {current} was published since: "
                f"see `draft diff {key}`; to go on from version {current}, "
                f"`draft discard {key} --revision {draft.revision}` and save it anew"
            )
        case _:
            assert_never(outcome)


@commands.command()
def discard(key: Key, company: Company, actor: Actor, revision: Revision) -> None:
    """Throw a draft away; what is published stays as it is."""

    async def main(opened: Session) -> Discarded | NoDraft | Outdated:
        return await opened.run(lambda unit: discard_draft(unit, company, key, expected=revision, actor=actor))

    outcome = session.run(main)
    match outcome:
        case Discarded(draft):
            output.say(f"{company}/{key}: draft discarded, it was revision {draft.revision}")
        case NoDraft():
            output.refuse(str(_no_draft(company, key)))
        case Outdated():
            output.refuse(_outdated(key, outcome))
        case _:
            assert_never(outcome)


async def _one(opened: Session, company: str, key: str) -> Draft:
    async with opened.pool.acquire() as connection:
        draft = await storage.one(connection, company, key)
    if draft is None:
        raise _no_draft(company, key)
    return draft


def _no_draft(company: str, key: str) -> Refused:
    return Refused(f"{company} has no draft of {key}: none was saved, or it was published or discarded")


def _outdated(key: str, outdated: Outdated) -> str:
    if outdated.found is None:
        return (
            f"there is no draft of {key} any more, and yours was made from revision {outdated.expected}: it was "
            f"published or discarded. See `show {key}`; saved without --revision it becomes a new draft"
        )
    made = f"from revision {outdated.expected}" if outdated.expected else "as a new one"
    return (
        f"the draft of {key} is at revision {outdated.revision}, by {outdated.found.actor}; yours was made {made}: "
        f"look at `draft show {key}`, then come again with --revision {outdated.revision}"
    )


def _plain(draft: Draft) -> dict[str, object]:
    return {**asdict(draft), "definition": writing.as_written(draft.definition)}
