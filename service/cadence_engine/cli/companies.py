"""What is particular to a company: its days of silence, limit, detector hour, zone and language."""

from dataclasses import asdict
from types import EllipsisType
from typing import Annotated, assert_never

import typer

from cadence_contracts.fields import is_locale, is_zone
from cadence_engine.cli import consent, output, session
from cadence_engine.cli import halts as halting
from cadence_engine.cli.output import Refused
from cadence_engine.cli.session import Actor, Company, Json, Session, Yes, external_id
from cadence_engine.domain.company import Company as CompanyState
from cadence_engine.domain.company import CompanyChange
from cadence_engine.handlers.erase_company import Begun, UnknownCompany, erase_company
from cadence_engine.handlers.set_company import set_company
from cadence_engine.storage import companies, company_erasures
from cadence_engine.storage.company_erasures import Erasure

NONE = "none"

group = typer.Typer(no_args_is_help=True, help="What is particular to a company.")


def register(app: typer.Typer) -> None:
    """Mount the group."""
    app.add_typer(group, name="company")


def _limit(text: str | None) -> str | None:
    if text is not None and text != NONE and not (text.isascii() and text.isdecimal() and int(text) < 2**31):
        raise typer.BadParameter(f"must be a whole number from 0 to {2**31 - 1}, or `none`")
    return text


def _zone(text: str | None) -> str | None:
    if text and text != NONE and not is_zone(text):
        raise typer.BadParameter(f"`{text}` is no zone of the IANA database; such as America/Sao_Paulo, or `none`")
    return text


def _locale(text: str | None) -> str | None:
    if text and text != NONE and not is_locale(text):
        raise typer.BadParameter(f"`{text}` is no BCP 47 language tag; such as pt-BR, or `none`")
    return text


def _name(text: str | None) -> str | None:
    if text is not None and not (0 < len(text) <= 500 and text.isprintable()):
        raise typer.BadParameter("must be 1 to 500 characters on one line, or `none`")
    return text


@group.command("set")
def set_(
    company: Company,
    *,
    inactive_days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="Silence that counts as inactive, where the cadence has none.")
    ] = None,
    inactivity_limit: Annotated[
        str | None, typer.Option(help="Enrollments a day by inactivity, or `none`.", callback=_limit)
    ] = None,
    detector_hour: Annotated[
        int | None, typer.Option(min=0, max=23, help="The local hour at which silence is looked for.")
    ] = None,
    time_zone: Annotated[str | None, typer.Option(help="Such as America/Sao_Paulo, or `none`.", callback=_zone)] = None,
    locale: Annotated[str | None, typer.Option(help="Such as pt-BR, or `none`.", callback=_locale)] = None,
    name: Annotated[str | None, typer.Option(help="As templates show it, or `none`.", callback=_name)] = None,
    as_json: Json = False,
) -> None:
    """Change what is given, leave the rest, and show how it is now. An unknown company is made."""
    if all(value is None for value in (inactive_days, inactivity_limit, detector_hour, time_zone, locale, name)):
        output.refuse("nothing to set: give at least one option, see --help")
    change = CompanyChange(
        name=_told(name),
        time_zone=_told(time_zone),
        locale=_told(locale),
        inactive_days=... if inactive_days is None else inactive_days,
        inactivity_limit=_told_limit(inactivity_limit),
        detector_hour=... if detector_hour is None else detector_hour,
    )

    async def main(opened: Session) -> CompanyState:
        return await opened.run(lambda unit: set_company(unit, company, change))

    _print(session.run(main), as_json=as_json)


@group.command()
def show(company: Company, *, as_json: Json = False) -> None:
    """How it is set."""

    async def main(opened: Session) -> tuple[CompanyState | None, Erasure | None]:
        async with opened.pool.acquire() as connection:
            known = await companies.load(connection, [company])
            return known.get(company), await company_erasures.of(connection, company)

    found, erasure = session.run(main)
    if found is None:
        output.refuse(f"no company {company} is known: it is made by its first record, definition or `company set`")
    _print(found, erasure, as_json=as_json)


@group.command()
def erase(
    company: Annotated[str, typer.Option("--company", help="Which one; spelt out each time.", callback=external_id)],
    actor: Actor,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the log.")],
    yes: Yes = False,
) -> None:
    """Halt it for good, end every enrollment, and forget every contact: in the log too. Nothing brings them back.

    Workers do that from a minute later on, a thousand contacts at a time; `company show` says how far they are.
    """
    consent.ask(f"all contacts of {company} would be forgotten for good, and all their enrollments ended", yes=yes)

    async def main(opened: Session) -> Erasure:
        outcome = await opened.run(lambda unit: erase_company(unit, company, actor=actor, reason=reason))
        match outcome:
            case UnknownCompany():
                raise Refused(f"no company {company} is known: is the name right?")
            case Begun(erasure):
                await halting.wait_for_claims(opened)
                return erasure
        assert_never(outcome)

    session.run(main)
    output.say(f"{company} is halted, and is being erased: `cadence-engine company show --company {company}`")


def _told(text: str | None) -> str | None | EllipsisType:
    if text is None:
        return ...
    return None if text == NONE else text


def _told_limit(text: str | None) -> int | None | EllipsisType:
    if text is None:
        return ...
    return None if text == NONE else int(text)


def _print(company: CompanyState, erasure: Erasure | None = None, *, as_json: bool) -> None:
    known = {
        **asdict(company),
        "name": company.name.value,
        "time_zone": company.time_zone.value,
        "locale": company.locale.value,
    }
    del known["revision"]
    if as_json:
        output.as_json(known if erasure is None else known | {"erasure": erasure})
        return
    del known["company_id"]
    limit = NONE if company.inactivity_limit is None else company.inactivity_limit
    output.table(("company", company.company_id), (known | {"inactivity_limit": limit}).items())
    if erasure is not None:
        by = erasure.actor or f"{erasure.source} {erasure.event_id}"
        done = f"finished {output.at(erasure.finished_at)}" if erasure.finished_at else "under way"
        output.say(f"Erased up to {output.at(erasure.erased_at)} by {by}; {done}")
