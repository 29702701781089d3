"""How commands are told which dead letters are meant."""

import re
from typing import Annotated

import typer

from cadence_contracts.dead_letters import Reason as Code
from cadence_contracts.fields import parse_time
from cadence_engine.cli import output
from cadence_engine.cli.session import external_id
from cadence_engine.storage.letter_filter import LetterFilter, LetterState
from cadence_engine.storage.relay import LetterId

PLACE = re.compile(r"(?P<topic>[^/]{1,300})/(?P<partition>[0-9]{1,9})/(?P<offset>[0-9]{1,18})")


def id_of(text: str) -> LetterId:
    """Reads TOPIC/PARTITION/OFFSET; raises typer.BadParameter."""
    read = PLACE.fullmatch(text)
    if read is None:
        raise typer.BadParameter("must be TOPIC/PARTITION/OFFSET, as `dead-letters list` shows it")
    return LetterId(read["topic"], int(read["partition"]), int(read["offset"]))


def _letter(text: str | None) -> str | None:
    if text is not None:
        id_of(text)
    return text


def _time(text: str | None) -> str | None:
    try:
        if text is not None:
            parse_time(text)
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from None
    return text


Letter = Annotated[str, typer.Argument(metavar="TOPIC/PARTITION/OFFSET", help="As `list` shows it.", callback=_letter)]
OneLetter = Annotated[
    str | None, typer.Argument(metavar="[TOPIC/PARTITION/OFFSET]", help="This one alone.", callback=_letter)
]
Whose = Annotated[
    str | None,
    typer.Option("--company", envvar="CADENCE_COMPANY", help="Whose letters.", callback=external_id, show_envvar=True),
]
Everyones = Annotated[
    bool, typer.Option("--all-companies", help="Of every company, and those that name none: for the platform's own.")
]
Topic = Annotated[str | None, typer.Option(help="Of this topic, named with its prefix.")]
Reason = Annotated[Code | None, typer.Option("--code", help="Dead for this reason.")]
Whom = Annotated[str | None, typer.Option("--contact", help="Whose record names this contact.", callback=external_id)]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="Found dead since then (RFC 3339).", callback=_time)]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Found dead up to then (RFC 3339).", callback=_time)]


def chosen_by(
    company: str | None,
    topic: str | None = None,
    code: Code | None = None,
    since: str | None = None,
    until: str | None = None,
    *,
    contact: str | None = None,
    all_companies: bool,
    letter: str | None = None,
    state: LetterState = LetterState.KEPT,
) -> LetterFilter:
    """Refuses what is nobody's, or two choices at once."""
    if company is None and not all_companies:
        output.refuse("whose letters? Give --company, or --all-companies for every company's and those that name none")
    if letter and (topic or code or contact or since or until):
        output.refuse("either one letter, or a choice of them")
    return LetterFilter(
        company_id=None if all_companies else company,
        state=state,
        topic=topic,
        reason=code.value if code else None,
        since=parse_time(since) if since else None,
        until=parse_time(until) if until else None,
        letter=id_of(letter) if letter else None,
        contact_id=contact,
    )


def unknown(chosen: LetterFilter, letter: str) -> str:
    """What is said of a letter that is not there."""
    return f"{chosen.company_id or 'nobody'} has no dead letter {letter}"
