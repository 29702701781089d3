"""Enrollments, one or all that are chosen: list, pause, resume, skip, run-now, cancel."""

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Annotated, assert_never
from uuid import UUID

import typer

from cadence_engine.cli import consent, output, passages, session
from cadence_engine.cli.choosing import Choice, moment, with_choice
from cadence_engine.cli.following import Cursor, Rows, following, say_more
from cadence_engine.cli.output import at
from cadence_engine.cli.progress import bar
from cadence_engine.cli.session import Actor, Json, Reason, Session, Yes
from cadence_engine.domain.enrollment import Enrollment, PausedBy, Status
from cadence_engine.domain.operate import Cancel, Left, Pause, Resume, RunNow, Skip
from cadence_engine.domain.resume import ResumeMode
from cadence_engine.domain.spread import WELL_APART
from cadence_engine.handlers.operate import (
    Batch,
    Done,
    LeftAsIs,
    NotFound,
    Order,
    Outcome,
    eligible,
    operate_on,
    operate_on_batch,
)
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.enrollments import choose
from cadence_engine.storage.enrollments.choose import Chosen
from cadence_engine.storage.reports import enrollments as reports
from cadence_engine.storage.reports.contacts import Passage

ROWS_AT_ONCE = 500

group = typer.Typer(no_args_is_help=True, help="Enrollments, one or all that are chosen by options.")

One = Annotated[
    UUID | None,
    typer.Argument(metavar="ENROLLMENT", help="Its id; without it, all that the options choose.", show_default=False),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say how many it would be about.")]


def register(app: typer.Typer) -> None:
    """Mount the group."""
    app.add_typer(group, name="enrollment")


@group.command("list")
@with_choice
def list_(
    choice: Choice,
    *,
    rows: Rows = 50,
    cursor: Cursor = None,
    as_json: Json = False,
) -> None:
    """Those that the options choose, or all: in the order in which they are due, by contact, or as they began."""

    async def main(opened: Session) -> tuple[list[Passage], str | None]:
        chosen, behind, found = await choice.resolve(opened), cursor, list[Passage]()
        async with opened.pool.acquire() as connection:
            while True:
                page = await reports.listed(connection, chosen, rows=rows - len(found), after=behind)
                found, behind = [*found, *page.passages], page.next_cursor
                if behind is None or len(found) == rows:
                    return found, behind

    with following():
        found, further = session.run(main)
    if as_json:
        output.as_json({"enrollments": found, "next": further})
        return
    if not found:
        output.say(f"{choice.company} has no such enrollment")
        return
    columns = "enrollment", "contact", "cadence", "status", "step", "next run", "started"
    output.table(columns, map(_row, found))
    say_more(further)


def _row(passage: Passage) -> tuple[object, ...]:
    enrollment = passage.enrollment
    return (
        enrollment.enrollment_id,
        enrollment.contact_id,
        f"{enrollment.cadence_key} v{enrollment.version}",
        enrollment.status.value,
        passages.step(passage),
        passages.next_run(enrollment),
        at(enrollment.started_at),
    )


@group.command()
@with_choice
def pause(
    choice: Choice,
    actor: Actor,
    enrollment: One = None,
    *,
    until: Annotated[
        datetime | None, typer.Option(parser=moment, metavar="TIME", help="Then it goes on by itself, within a minute.")
    ] = None,
    reason: Reason = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Let no step run until it is resumed, and keep the rest of the wait. It outlasts a resumption of the cadence."""
    if until is not None and until <= datetime.now(until.tzinfo):
        output.refuse(f"{at(until)} is over: give a time to come, or none")
    _carry_out(choice, enrollment, Order(Pause(until), actor, reason), "paused", yes=yes, dry_run=dry_run)


@group.command()
@with_choice
def resume(
    choice: Choice,
    actor: Actor,
    enrollment: One = None,
    *,
    mode: Annotated[
        ResumeMode,
        typer.Option(
            help="shift: the rest of the wait begins now. catch_up: the next step keeps its time. "
            "skip_missed: steps whose time has passed are skipped."
        ),
    ] = ResumeMode.SHIFT,
    per_minute: Annotated[
        int, typer.Option(min=1, max=60_000, help="How many of those that are overdue go in a minute.")
    ] = timedelta(minutes=1) // WELL_APART,
    reason: Reason = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Let what an operator has paused go on, without a burst; where its cadence is paused, together with that."""
    order = Order(Resume(mode), actor, reason, apart=timedelta(minutes=1) / per_minute)
    _carry_out(choice, enrollment, order, "resumed", yes=yes, dry_run=dry_run)


@group.command()
@with_choice
def skip(
    choice: Choice,
    actor: Actor,
    enrollment: One = None,
    *,
    reason: Reason = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Pass over the next step, which --step must name: so it skips no other when it comes late. Later ones stay."""
    if choice.step is None:
        output.refuse("which step? say --step KEY; `cadence-engine enrollment list` shows where each stands")
    _carry_out(choice, enrollment, Order(Skip(choice.step), actor, reason), "skipped", yes=yes, dry_run=dry_run)


@group.command("run-now")
@with_choice
def run_now(
    choice: Choice,
    actor: Actor,
    enrollment: One = None,
    *,
    reason: Reason = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Let the next step wait no longer. It runs as every step does: not before replies up to now are applied."""
    _carry_out(choice, enrollment, Order(RunNow(), actor, reason), "due now", yes=yes, dry_run=dry_run)


@group.command()
@with_choice
def cancel(
    choice: Choice,
    actor: Actor,
    enrollment: One = None,
    *,
    reason: Reason = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """End live enrollments. Again is fine; one that is completed stays completed."""
    _carry_out(choice, enrollment, Order(Cancel(), actor, reason), "cancelled", yes=yes, dry_run=dry_run)


def _carry_out(
    choice: Choice, enrollment_id: UUID | None, order: Order, done: str, *, yes: bool, dry_run: bool
) -> None:
    given = choice.given - {"step"} if isinstance(order.operation, Skip) else choice.given
    if enrollment_id is None and not choice.given:
        output.refuse("which enrollments? name one by its id, or choose by options, such as --cadence KEY: see --help")
    if enrollment_id is not None and given:
        output.refuse(f"an id says it all: leave out {', '.join(sorted(given))}")
    if enrollment_id is None:
        _about_many(choice, order, done, yes=yes, dry_run=dry_run)
    else:
        _about_one(choice.company, enrollment_id, order)


def _about_one(company: str, enrollment_id: UUID, order: Order) -> None:
    async def main(opened: Session) -> Done | LeftAsIs | NotFound:
        return await opened.run(lambda unit: operate_on(unit, company, enrollment_id, order, opened.policy))

    outcome = session.run(main)
    match outcome:
        case Done(enrollment):
            output.say(f"{enrollment.cadence_key} of {enrollment.contact_id}: {_stands(enrollment)}")
        case LeftAsIs(_, Left.ALREADY):
            kept = "; what was said before as its reason stays" if order.reason else ""
            output.say(f"{Left.ALREADY.meaning}; nothing changed{kept}")
        case LeftAsIs(_, why):
            output.refuse(f"{why.meaning}; nothing changed")
        case NotFound():
            output.refuse(f"{company} has no enrollment {enrollment_id}: `cadence-engine enrollment list` shows them")
        case _:
            assert_never(outcome)


def _stands(enrollment: Enrollment) -> str:
    if enrollment.paused_by is PausedBy.CADENCE:
        return "its cadence is paused, and it goes on with that"
    waits = passages.next_run(enrollment)
    return enrollment.status.value + (f", next step {waits}" if waits else "")


def _about_many(choice: Choice, order: Order, done: str, *, yes: bool, dry_run: bool) -> None:
    async def look(opened: Session) -> int:
        chosen = eligible(await choice.resolve(opened), order.operation)
        return await opened.run(lambda unit: choose.count(unit.connection, chosen))

    count = session.run(look)
    asked = f"{count} {'enrollment' if count == 1 else 'enrollments'} of {choice.company} would be {done}"
    if dry_run or count == 0:
        output.say(f"{asked}; nothing was done")
        return
    consent.ask(asked, yes=yes)
    for phrase, amount in session.run(lambda opened: _all(opened, choice, order, done, count)).items():
        output.say(f"{amount} {phrase}")


async def _all(opened: Session, choice: Choice, order: Order, done: str, count: int) -> Counter[str]:
    """How many became what. Each batch is a transaction: what is done stays done, and is left when asked again."""
    chosen = await choice.resolve(opened)
    became: Counter[str] = Counter()
    batch: Batch | None = None
    with bar() as shown:
        task = shown.add_task(done, total=count)
        while batch is None or batch.after is not None:
            try:
                batch = await opened.run(_next(chosen, order, opened, batch))
            except BaseException:
                output.warn(f"stopped after {became.total()} of {count}: the same command goes on from there")
                raise
            became.update(_became(outcome, done) for outcome in batch.outcomes)
            shown.advance(task, batch.looked_at)
    return became


def _next(
    chosen: Chosen, order: Order, opened: Session, last: Batch | None
) -> Callable[[UnitOfWork], Awaitable[Batch]]:
    after, free_from = (None, None) if last is None else (last.after, last.free_from)
    return lambda unit: operate_on_batch(
        unit, chosen, order, opened.policy, rows=ROWS_AT_ONCE, after=after, free_from=free_from
    )


def _became(outcome: Outcome, done: str) -> str:
    match outcome:
        case LeftAsIs(_, why):
            return f"left: {why.meaning}"
        case Done(enrollment) if enrollment.paused_by is PausedBy.CADENCE:
            return "left: paused with the cadence now, and going on with it"
        case Done(enrollment) if enrollment.status is Status.COMPLETED:
            return "completed: no step was left"
        case Done():
            return done
    assert_never(outcome)
