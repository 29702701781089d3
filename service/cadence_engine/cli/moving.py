"""Moving who is on the way to another version of their cadence."""

from collections.abc import Iterator
from typing import Annotated, Any, Protocol, assert_never

import typer

from cadence_engine.cli import consent, output, session
from cadence_engine.cli.cadences import unknown
from cadence_engine.cli.output import Refused
from cadence_engine.cli.progress import bar
from cadence_engine.cli.session import Actor, Company, Json, Key, Reason, Session, Yes
from cadence_engine.domain.move import Fate, Place
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.move_enrollments import (
    Batch,
    Move,
    NoSuchVersion,
    NotFound,
    SameVersion,
    Tally,
    move_batch,
    prepare_move,
    preview_batch,
)
from cadence_engine.storage import cadences
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.enrollments import choose

ROWS_AT_ONCE = 1000


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("move-enrollments")(move_enrollments)


def move_enrollments(
    key: Key,
    company: Company,
    actor: Actor,
    old: Annotated[int, typer.Option("--from", min=1, help="The version that they are in.")],
    *,
    new: Annotated[int | None, typer.Option("--to", min=1, help="Where to; the current version if not given.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would become of them.")] = False,
    yes: Yes = False,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Take who is on the way in one version of a cadence to another, by the keys of the steps.

    What has run never runs again; steps that the other version has behind a contact never run for it, those ahead do. A
    wait is counted anew from the time already served. Interrupted, begin it again.
    """

    async def main(opened: Session) -> tuple[Move, Tally]:
        move = await _prepared(opened, company, key, old, new, actor, reason)
        if dry_run or not yes:
            tally = await _all(opened, move, preview_batch, "counting")
            if dry_run:
                return move, tally
            _ask(move, tally)
        return move, await _all(opened, move, move_batch, f"{key}: moving")

    move, tally = session.run(main)
    if as_json:
        output.as_json(_plain(move, tally, done=not dry_run))
        return
    for line in _told(move, tally):
        output.say(line)
    if dry_run:
        output.say("dry run: nothing was changed")


async def _prepared(
    opened: Session, company: str, key: str, old: int, new: int | None, actor: str, reason: str | None
) -> Move:
    async with opened.pool.acquire() as connection:
        prepared = await prepare_move(connection, company, key, old=old, new=new, actor=actor, reason=reason)
        match prepared:
            case Move():
                return prepared
            case NotFound():
                raise unknown(await cadences.keys_of(connection, company), company, key)
            case NoSuchVersion(wanted, known):
                raise Refused(f"{key} has no version {wanted}: it has {known[0]} to {known[-1]}, see `versions {key}`")
            case SameVersion(version):
                raise Refused(f"from version {version} to itself there is nothing to move: give another with --to")
        assert_never(prepared)


class _Work(Protocol):
    async def __call__(
        self, unit: UnitOfWork, move: Move, policy: Policy, *, rows: int, after: choose.Place | None = None
    ) -> Batch: ...


async def _all(opened: Session, move: Move, work: _Work, title: str) -> Tally:
    total = await opened.run(lambda unit: choose.count(unit.connection, move.chosen))
    tally, after = Tally(), None
    with bar() as shown:
        task = shown.add_task(title, total=total)
        while True:

            async def one(unit: UnitOfWork, behind: choose.Place | None = after) -> Batch:
                return await work(unit, move, opened.policy, rows=ROWS_AT_ONCE, after=behind)

            batch = await opened.run(one)
            tally, after = tally + batch.tally, batch.after
            shown.advance(task, batch.tally.waiting_at.total())
            if after is None:
                return tally


def _ask(move: Move, tally: Tally) -> None:
    amount = tally.waiting_at.total()
    for line in _told(move, tally):
        output.warn(line)
    if amount:
        consent.ask(f"{amount} enrollments would be moved so", yes=False)


def _told(move: Move, tally: Tally) -> Iterator[str]:
    amount = tally.waiting_at.total()
    yield f"{move.old.definition.key}, from version {move.old.version} to {move.new.version}: {amount} enrollments"
    for index, waiting in sorted(tally.waiting_at.items()):
        yield f"  at {_step(move, index)}: {waiting}, {'; '.join(_becomes(move, move.place(index)))}"
    if tally.waits_anew:
        at_once = f", {tally.due_at_once} of them due at once" if tally.due_at_once else ""
        yield f"  waits counted anew: {tally.waits_anew}{at_once}"


def _becomes(move: Move, place: Place) -> Iterator[str]:
    match place.fate:
        case Fate.KEPT:
            yield "kept"
        case Fate.NEXT:
            yield f"go on with {move.new.definition.steps[place.index].key}"
        case Fate.ENDS:
            yield "are completed"
        case Fate.LEFT:
            yield f"left in version {move.old.version}: the versions have no step in common"
        case _:
            assert_never(place.fate)
    for what, keys in (("gone", place.gone), ("never runs", place.never), ("added ahead", place.added)):
        if keys:
            yield f"{what}: {', '.join(keys)}"


def _step(move: Move, index: int) -> str:
    step = move.old.step_at(index)
    return step.key if step else "the end"


def _plain(move: Move, tally: Tally, *, done: bool) -> dict[str, Any]:
    places = [(index, waiting, move.place(index)) for index, waiting in sorted(tally.waiting_at.items())]
    return {
        "from": move.old.version,
        "to": move.new.version,
        "done": done,
        "waits_anew": tally.waits_anew,
        "due_at_once": tally.due_at_once,
        "steps": [
            {"step": _step(move, index), "enrollments": waiting, "place": place} for index, waiting, place in places
        ],
    }
