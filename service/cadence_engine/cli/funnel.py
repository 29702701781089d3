"""`funnel`: how far contacts come in each version of a cadence, and where they answer."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer

from cadence_engine.cli import output, session
from cadence_engine.cli.cadences import unknown
from cadence_engine.cli.output import Refused
from cadence_engine.cli.session import Company, Json, Key, Session
from cadence_engine.domain.funnel import Funnel
from cadence_engine.handlers.funnel import funnels
from cadence_engine.storage import cadences


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(funnel)


def funnel(
    key: Key,
    company: Company,
    *,
    version: Annotated[int | None, typer.Option(min=1, help="Only this one. Default: all, newest first.")] = None,
    as_json: Json = False,
) -> None:
    """How far contacts come: started, sent, parked and completed, and after which step they reply.

    A reply counts where it ends the passage, or comes within 7 days of its last step. While a cadence goes on after
    replies (`cancelOn: []`) they are not counted.
    """

    async def main(opened: Session) -> list[Funnel]:
        async with opened.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            found = await funnels(connection, company, key, version)
            if found is None:
                raise unknown(await cadences.keys_of(connection, company), company, key)
            if not found:
                raise Refused(f"{key} has no version {version}: `cadence-engine show {key}` tells the current one")
            return found

    found = session.run(main)
    if as_json:
        output.as_json([_document(each) for each in found])
        return
    for place, each in enumerate(found):
        output.say(("\n" if place else "") + f"{key} v{each.version}: {_told(each)}")
        _print_steps(each)


def _document(funnel: Funnel) -> Mapping[str, Any]:
    rates = {"reply_rate": funnel.reply_rate, "completion_rate": funnel.completion_rate}
    steps = [{**asdict(step), "reply_rate": step.reply_rate} for step in funnel.steps]
    return {**asdict(funnel), "live": funnel.live, "replied": funnel.replied, **rates, "steps": steps}


def _told(funnel: Funnel) -> str:
    cancelled = sum(funnel.cancelled.values())
    reasons = ", ".join(f"{amount} {reason}" for reason, amount in sorted(funnel.cancelled.items()))
    moved = f", {funnel.moved_in} moved in" if funnel.moved_in else ""
    moved += f", {funnel.moved_out} moved out" if funnel.moved_out else ""
    return (
        f"{funnel.started} started{moved}, {funnel.live} live, "
        f"{funnel.completed} completed{_share(funnel.completion_rate)}, "
        f"{cancelled} cancelled" + (f": {reasons}{_share(funnel.reply_rate, ' replied')}" if reasons else "")
    )


def _print_steps(funnel: Funnel) -> None:
    rows: list[tuple[object, ...]] = []
    if funnel.replied_before:
        rows.append(("(before the first)", None, None, None, None, funnel.replied_before, None))
    for step in funnel.steps:
        rate = None if step.reply_rate is None else f"{step.reply_rate:.1%}"
        rows.append((step.key, step.reached, step.sent, step.skipped, step.parked, step.replied, rate))
    output.table(("step", "reached", "sent", "skipped", "parked", "replied after it", "reply rate"), rows)


def _share(rate: float | None, what: str = "") -> str:
    return "" if rate is None else f" ({rate:.1%}{what})"
