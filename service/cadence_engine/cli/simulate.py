"""`simulate`: what a cadence would do, for one contact step by step, for an audience as sends per day."""

import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from cadence_contracts.fields import is_locale, is_phone
from cadence_engine.cli import output, session, simulated
from cadence_engine.cli.cadences import unknown
from cadence_engine.cli.definitions import STDIN, text_of
from cadence_engine.cli.enroll import Context, values_of
from cadence_engine.cli.output import Refused
from cadence_engine.cli.session import Json, Session, external_id
from cadence_engine.definitions import ready
from cadence_engine.definitions.load import load
from cadence_engine.definitions.problems import BadDefinitions
from cadence_engine.domain.cadence import INACTIVITY, Definition
from cadence_engine.domain.company import Company
from cadence_engine.domain.contact import Contact
from cadence_engine.domain.inactivity import next_run
from cadence_engine.domain.known import UNTOLD, Known
from cadence_engine.domain.policy import Policy
from cadence_engine.domain.schedule import from_local, is_zone, zone_of
from cadence_engine.handlers import forecast as forecasting
from cadence_engine.handlers import simulate as simulating
from cadence_engine.handlers.forecast import Forecast
from cadence_engine.handlers.simulate import COMPANY_OF_NOBODY, Plan, Timeline
from cadence_engine.storage import cadences
from cadence_engine.storage.connection import Connection

SOMEBODY = "somebody"
PHONE = "+10000000000"


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(simulate)


def _start(text: str | None) -> str | None:
    if text is not None:
        try:
            datetime.fromisoformat(text)
        except ValueError:
            raise typer.BadParameter("such as 2026-03-01, 2026-03-01T09:00 or 2026-03-01T12:00:00Z") from None
    return text


def _zone(text: str | None) -> str | None:
    if text is not None and not is_zone(text):
        raise typer.BadParameter(f"`{text}` is no zone of the IANA database; such as America/Sao_Paulo")
    return text


def _locale(text: str | None) -> str | None:
    if text is not None and not is_locale(text):
        raise typer.BadParameter(f"`{text}` is no BCP 47 language tag; such as pt-BR")
    return text


def _phone(text: str | None) -> str | None:
    if text is not None and not is_phone(text):
        raise typer.BadParameter("no phone in the form of E.164; such as +5511999990000")
    return text


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked for, besides the contacts."""

    what: str
    company_id: str | None
    start: str | None
    context: Mapping[str, str]

    def starts_at(self, now: datetime, zone: str) -> datetime:
        """In UTC; a time without its offset is one of the zone's clocks."""
        if self.start is None:
            return now
        at = datetime.fromisoformat(self.start)
        return from_local(at, zone) if at.tzinfo is None else at.astimezone(UTC)


def simulate(
    definition: Annotated[
        str,
        typer.Argument(metavar="DEFINITION", help=f"A YAML file, KEY of the company's, or {', '.join(ready.NAMES)}."),
    ],
    *,
    company: Annotated[
        str | None,
        typer.Option(envvar="CADENCE_COMPANY", help="Whose contacts and cadences.", callback=external_id),
    ] = None,
    contact: Annotated[
        str | None, typer.Option(metavar="ID", help="For this contact of the company's.", callback=external_id)
    ] = None,
    audience: Annotated[
        Path | None, typer.Option(metavar="FILE", help="For these contacts: an id a line, - for stdin.")
    ] = None,
    detector: Annotated[
        bool, typer.Option("--detector", help="For whom the detector would take in its next run at or after --start.")
    ] = False,
    start: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="When the trigger comes; without offset: local time.", callback=_start),
    ] = None,
    context: Context = None,
    name: Annotated[str | None, typer.Option(help="Of a contact that is only described.")] = None,
    phone: Annotated[str | None, typer.Option(help="Of the described one; it has one anyway.", callback=_phone)] = None,
    unreachable: Annotated[bool, typer.Option("--unreachable", help="The described one has no phone.")] = False,
    locale: Annotated[str | None, typer.Option(help="Of the described one, such as pt-BR.", callback=_locale)] = None,
    time_zone: Annotated[str | None, typer.Option(help="Of the described one (IANA).", callback=_zone)] = None,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw a calendar of the sends there.")] = None,
    as_json: Json = False,
) -> None:
    """What a cadence would do if nobody replied: when which step runs, as what, or what would park it. Writes nothing.

    The worker's own rules decide. Without --contact, --audience and --detector it is for a contact that the options
    describe: with a file, or a ready cadence, that needs no database. A paused cadence is simulated as if it went on.
    """
    if sum((contact is not None, audience is not None, detector)) > 1:
        output.refuse("--contact, --audience and --detector: one of them")
    if company is None and (contact is not None or audience is not None or detector):
        output.refuse("whose contacts? Give --company")
    asked = Question(definition, company, start, values_of(context))
    if contact is not None:
        found = session.run(lambda opened: _of_contact(opened, asked, contact))
    elif audience is not None or detector:
        ids = None if audience is None else _ids(audience)
        simulated.show_forecast(session.run(lambda opened: _of_audience(opened, asked, ids)), as_json, svg)
        return
    else:
        described = _described(name, None if unreachable else phone or PHONE, locale, time_zone)
        found = _of_described(asked, described)
    simulated.show_timeline(*found, as_json, svg)


def _described(name: str | None, phone: str | None, locale: str | None, zone: str | None) -> Contact:
    def told(value: str | None) -> Known[str | None]:
        return UNTOLD if value is None else Known(value)

    contact = Contact(COMPANY_OF_NOBODY, SOMEBODY)
    return contact._replace(name=told(name), phone=told(phone), locale=told(locale), time_zone=told(zone))


def _of_described(asked: Question, contact: Contact) -> tuple[Plan, Timeline]:
    definition = _written(asked)
    if definition is not None:
        plan = simulating.unknown(definition)
        return plan, _timeline(plan, asked, contact, Company(COMPANY_OF_NOBODY), datetime.now(UTC), Policy())

    async def main(opened: Session) -> tuple[Plan, Timeline]:
        async with opened.pool.acquire() as connection:
            plan = await _plan(connection, asked)
            company = await simulating.company_of(connection, plan.version.company_id)
            return plan, _timeline(plan, asked, contact, company, await _now(connection), opened.policy)

    return session.run(main)


def _timeline(
    plan: Plan, asked: Question, contact: Contact, company: Company, now: datetime, policy: Policy
) -> Timeline:
    zone = zone_of(contact.time_zone.value, company.time_zone.value, policy.default_time_zone)
    start = asked.starts_at(now, zone)
    return simulating.simulate_described(plan, contact, company, asked.context, start, policy)


async def _of_contact(opened: Session, asked: Question, contact_id: str) -> tuple[Plan, Timeline]:
    async with opened.pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        plan = await _plan(connection, asked)
        zone = await simulating.zone_of_contact(connection, plan.version.company_id, contact_id, opened.policy)
        start = asked.starts_at(await _now(connection), zone)
        (found,) = await simulating.simulate_contacts(
            connection, plan, [contact_id], asked.context, start, opened.policy
        )
        return plan, found


async def _of_audience(opened: Session, asked: Question, ids: Iterable[str] | None) -> tuple[Plan, Forecast]:
    async with opened.pool.acquire() as connection:
        plan = await _plan(connection, asked)
        company = await simulating.company_of(connection, plan.version.company_id)
        zone = zone_of(company.time_zone.value, opened.policy.default_time_zone)
        start = asked.starts_at(await _now(connection), zone)
        forecasts: AsyncIterator[Forecast]
        if ids is not None:
            pages = _pages(ids)
            forecasts = forecasting.of_contacts(connection, plan, pages, asked.context, start, opened.policy)
        elif plan.version.definition.trigger.event == INACTIVITY:
            day = next_run(company, start, opened.policy.default_time_zone)
            forecasts = forecasting.of_silent(connection, plan, day, opened.policy)
        else:
            raise Refused(f"{plan.version.definition.key} is not triggered by inactivity: give --audience")
        forecast = await forecasting.begin(connection, plan, opened.policy)
        async for forecast in forecasts:
            simulated.progress(forecast)
        return plan, forecast


async def _now(connection: Connection) -> datetime:
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return now.astimezone(UTC)


async def _plan(connection: Connection, asked: Question) -> Plan:
    """A file's definition, else that of the company's cadence with this key, else a ready one."""
    if asked.company_id is None:
        raise Refused(f"{asked.what}: no such file, and no ready cadence either; for a KEY, give --company")
    if not _is_file(asked.what):
        plan = await simulating.published(connection, asked.company_id, asked.what)
        if plan is not None:
            return plan
    definition = _written(asked)
    if definition is None:
        raise unknown(await cadences.keys_of(connection, asked.company_id), asked.company_id, asked.what)
    return await simulating.proposed(connection, asked.company_id, definition)


def _is_file(what: str) -> bool:
    return what == STDIN or Path(what).is_file()


def _written(asked: Question) -> Definition | None:
    """The one definition of the file, or of the ready cadence; None: it is neither."""
    if not _is_file(asked.what) and asked.what not in ready.NAMES:
        return None
    text = text_of(asked.what)
    problems: list[BadDefinitions] = []
    for company_id in dict.fromkeys((asked.company_id, None, COMPANY_OF_NOBODY)):  # it may name its own, or none
        try:
            loaded = load([(asked.what, text)], company_id)
        except BadDefinitions as bad:
            problems.append(bad)
            continue
        if len(loaded) > 1:
            output.refuse(f"{asked.what} holds {len(loaded)} definitions: simulate takes one")
        return loaded[0].definition
    return output.refuse(str(min(problems, key=lambda bad: len(bad.problems))))


def _ids(file: Path) -> Iterator[str]:
    try:
        with sys.stdin if str(file) == STDIN else file.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                contact_id = line.strip()
                if len(contact_id) > 200 or not contact_id.isprintable():
                    raise Refused(f"{file}:{number}: no id: 1 to 200 characters, none of them a control character")
                if contact_id:
                    yield contact_id
    except OSError as error:
        raise Refused(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Refused(f"{file}: not UTF-8: save the file in that encoding") from None


def _pages(ids: Iterable[str]) -> Iterator[Sequence[str]]:
    remaining = iter(ids)
    while page := list(islice(remaining, forecasting.PAGE)):
        yield page
