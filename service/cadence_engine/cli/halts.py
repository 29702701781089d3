"""Holding every step of a company, or of all, at once."""

from collections.abc import Iterator, Sequence
from typing import Annotated, assert_never

import asyncpg
import typer

from cadence_engine.cli import output, session
from cadence_engine.cli.output import Refused, at
from cadence_engine.cli.session import Actor, Json, Session, external_id
from cadence_engine.handlers import halt as handler
from cadence_engine.handlers.halt import AlreadyHalted, Halted, NotHalted, Unhalted, UnknownCompany, claims_over
from cadence_engine.storage import halts
from cadence_engine.storage.halts import Halt

SHOWN = 50
WAITS_AT_MOST = 6  # times five seconds: a transaction may last 25

# Spelt out each time, not taken from the environment: nobody is to be halted by a forgotten variable.
SomeCompany = Annotated[str | None, typer.Option("--company", help="Whose steps.", callback=external_id)]
Everyone = Annotated[bool, typer.Option("--all", help="Of every company.")]


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command("halt")(halt_)
    app.command("unhalt")(unhalt_)
    app.command("halts")(list_)


def halt_(
    actor: Actor,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why, for whoever asks why nothing is sent.")],
    company: SomeCompany = None,
    everyone: Everyone = False,
) -> None:
    """Decide no step from now on. Contacts enter and leave, replies are applied; done when it says so.

    Sends that were decided before are published all the same.
    """
    whose = _whose(company, everyone=everyone)

    async def main(opened: Session) -> str:
        outcome = await opened.run(lambda unit: handler.halt(unit, whose, actor=actor, reason=reason))
        match outcome:
            case UnknownCompany():
                raise Refused(f"no company {whose} is known, so nothing of it can be held: is the name right?")
            case AlreadyHalted(found):
                await wait_for_claims(opened)
                return f"{_name(whose)} halted already, {_by(found)}"
            case Halted():
                await wait_for_claims(opened)
                return f"{_name(whose)} halted: no step runs until `cadence-engine unhalt`"
        assert_never(outcome)

    output.say(session.run(main))


async def wait_for_claims(opened: Session) -> None:
    """Returns when no step that was claimed before a halt can be decided any more."""
    for _ in range(WAITS_AT_MOST):
        try:
            return await opened.run(claims_over)
        except asyncpg.LockNotAvailableError:
            output.warn("halted; waiting for steps that were claimed before ..")
    raise Refused(
        "The halt is in force, but steps that were claimed before it are still being decided: look at the workers' "
        "transactions in pg_stat_activity, or give the command again to go on waiting"
    )


def unhalt_(
    actor: Actor,
    *,
    reason: Annotated[str | None, typer.Option("--reason", help="Why, for the history.")] = None,
    company: SomeCompany = None,
    everyone: Everyone = False,
) -> None:
    """Let steps run again. What became due meanwhile runs now, the longest due first, a share of each company's."""
    whose = _whose(company, everyone=everyone)

    async def main(opened: Session) -> tuple[str, Sequence[Halt]]:
        outcome = await opened.run(lambda unit: handler.unhalt(unit, whose, actor=actor, reason=reason))
        async with opened.pool.acquire() as connection:
            others = [] if whose is None else await halts.holding(connection, whose)
        match outcome:
            case Unhalted(ended):
                return f"{_name(whose)} halted no more; {_by(ended)}", others
            case NotHalted():
                return f"{_name(whose)} not halted", others
        assert_never(outcome)

    said, others = session.run(main)
    output.say(said)
    for line in holding(others):
        output.say(line)


def list_(
    company: Annotated[
        str | None, typer.Option("--company", help="Only what held this one.", callback=external_id)
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Every halt, the newest first: whose steps, by whom, when and why."""

    async def main(opened: Session) -> Sequence[Halt]:
        async with opened.pool.acquire() as connection:
            return await halts.history(connection, company, SHOWN)

    found = session.run(main)
    if as_json:
        output.as_json(found)
    elif not found:
        output.say("nothing was ever halted")
    else:
        rows = [
            (each.company_id or "all", at(each.started_at), each.started_by, each.reason, *_end(each)) for each in found
        ]
        output.table(("company", "since", "by", "why", "until", "ended by", "why ended"), rows)


def holding(found: Sequence[Halt]) -> Iterator[str]:
    """A line for each halt that is in force, for commands that show what it holds."""
    for each in found:
        yield f"No step runs, {_name(each.company_id)} halted {_by(each)}"


def _end(halt: Halt) -> tuple[str | None, str | None, str | None]:
    return ("in force", None, None) if halt.ended_at is None else (at(halt.ended_at), halt.ended_by, halt.end_reason)


def _by(halt: Halt) -> str:
    return f"by {halt.started_by} since {at(halt.started_at)}: {halt.reason}"


def _name(company_id: str | None) -> str:
    return "every company is" if company_id is None else f"{company_id} is"


def _whose(company: str | None, *, everyone: bool) -> str | None:
    if everyone == (company is not None):
        output.refuse("whose steps? either --company NAME or --all")
    return company
