"""Dead letters: list and show; replay and drop are mounted beside them."""

from typing import Annotated

import typer

from cadence_engine.cli import dead_letter_settling, output, session
from cadence_engine.cli.dead_letter_options import (
    Everyones,
    Letter,
    Reason,
    Since,
    Topic,
    Until,
    Whom,
    Whose,
    chosen_by,
    id_of,
    unknown,
)
from cadence_engine.cli.following import Cursor, Rows, following, say_more
from cadence_engine.cli.output import at
from cadence_engine.cli.session import Json, Session
from cadence_engine.handlers.letter_content import content_of
from cadence_engine.storage.letter_filter import LetterState
from cadence_engine.storage.reports import dead_letters as reports
from cadence_engine.storage.reports.dead_letters import LetterLine, Listed, WholeLetter

group = typer.Typer(
    no_args_is_help=True, help="Records that could not be understood: look at them, replay or drop them."
)


def register(app: typer.Typer) -> None:
    """Mount the group."""
    group.command("list")(list_)
    group.command()(show)
    dead_letter_settling.register(group)
    app.add_typer(group, name="dead-letters")


def list_(
    company: Whose = None,
    *,
    all_companies: Everyones = False,
    topic: Topic = None,
    code: Reason = None,
    contact: Whom = None,
    since: Since = None,
    until: Until = None,
    state: Annotated[LetterState, typer.Option(help="What became of it.")] = LetterState.KEPT,
    rows: Rows = 50,
    cursor: Cursor = None,
    as_json: Json = False,
) -> None:
    """The newest first, without what they hold."""
    chosen = chosen_by(company, topic, code, since, until, contact=contact, all_companies=all_companies, state=state)

    async def main(opened: Session) -> tuple[Listed, int]:
        async with opened.pool.acquire() as connection:
            page = await reports.listed(connection, chosen, after=cursor, at_most=rows)
            return page, sum(each.letters for each in await reports.tally(connection, chosen))

    with following():
        page, count = session.run(main)
    if as_json:
        output.as_json({"letters": page.lines, "next": page.next_cursor})
        return
    if page.lines:
        output.table(("found", "letter", "company", "contact", "code", "detail"), map(_row, page.lines))
    output.say(f"{count} {state.value}" + (f", {len(page.lines)} of them shown" if count > len(page.lines) else ""))
    say_more(page.next_cursor)


def _row(line: LetterLine) -> tuple[object, ...]:
    return at(line.created_at), _name(line), line.company_id, line.contact_id, line.reason, _what(line)


def show(
    letter: Letter,
    company: Whose = None,
    *,
    all_companies: Everyones = False,
    full: Annotated[bool, typer.Option("--full", help="With all that it holds, personal data too.")] = False,
    as_json: Json = False,
) -> None:
    """One letter, decoded as far as possible, and why it is dead; personal data masked unless --full."""
    chosen = chosen_by(company, all_companies=all_companies)

    async def main(opened: Session) -> WholeLetter | None:
        async with opened.pool.acquire() as connection:
            return await reports.one(connection, chosen.company_id, id_of(letter))

    found = session.run(main)
    if found is None:
        output.refuse(unknown(chosen, letter))
    content = content_of(found, full=full)
    if as_json:
        output.as_json({"letter": found.line, "content": content})
        return
    line = found.line
    facts = {
        "found": at(line.created_at),
        "company": line.company_id,
        "contact": line.contact_id,
        "code": line.reason,
        "detail": line.detail,
        "state": _state(line),
    }
    output.table(("letter", _name(line)), facts.items())
    if line.state is LetterState.KEPT:
        output.as_json(content)


def _name(line: LetterLine) -> str:
    return f"{line.topic}/{line.partition}/{line.offset}"


def _what(line: LetterLine) -> str:
    return line.detail if line.state is LetterState.KEPT else _state(line)


def _state(line: LetterLine) -> str:
    if line.state is LetterState.KEPT:
        return f"kept, {line.bytes} bytes"
    why = f": {line.settled_reason}" if line.settled_reason else ""
    return f"{line.state.value} {at(line.settled_at)} by {line.settled_by}{why}"
