"""Moving who is on the way to another version of their cadence."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from cadence_engine.api.call import Call
from cadence_engine.api.following import InBatches, NextBatch, following
from cadence_engine.api.operation import Answer, Operations
from cadence_engine.api.problems import Code, Problem
from cadence_engine.api.wire import CadencePath, Told, Words
from cadence_engine.domain.api_key import Scope
from cadence_engine.domain.move import Fate
from cadence_engine.handlers.move_enrollments import (
    Batch,
    Move,
    NoSuchVersion,
    NotFound,
    SameVersion,
    move_batch,
    prepare_move,
    preview_batch,
)
from cadence_engine.storage import cursor
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.enrollments.cursor import kinds as place_kinds

operations = Operations("Moving", "Who is on the way stays on their version, until somebody moves them by step key.")

ROWS_AT_ONCE = 500
Number = Annotated[int, Field(ge=1, lt=2**31)]


class MoveAsked(InBatches):
    old: Number = Field(alias="from", description="the version that they are in")
    new: Number | None = Field(None, alias="to", description="the current one, if not said")
    reason: Words | None = None
    dry_run: bool = Field(False, description="only tell what would become of each")


class FateTold(Told):
    """What becomes of those who wait at one step of the old version."""

    step_key: str
    waiting: int
    fate: Fate
    next_step_key: str | None = Field(description="in the new version; null: none is left")
    never: Sequence[str] = Field(description="steps that were added behind them, and never run")
    added: Sequence[str] = Field(description="steps that were added ahead of them, and run")


class MoveTold(Told):
    """Of this batch."""

    fates: Sequence[FateTold]
    waits_anew: int = Field(description="due at another time than before")
    due_at_once: int
    next: NextBatch


@operations.add(
    "POST",
    "/v1/cadences/{key}/move-enrollments",
    scope=Scope.DEFINE,
    answers={200: MoveTold},
    refusals=[Code.CADENCE_NOT_FOUND, Code.VERSION_NOT_FOUND, Code.SAME_VERSION, Code.BAD_CURSOR],
)
async def move_enrollments(call: Call, path: CadencePath, body: MoveAsked) -> Answer:
    """Move live enrollments from one version to another, up to 500 in a call, until `next` is null.

    With `dryRun` nothing is changed, and each outcome is counted. Interrupted, ask again: who is moved is no longer in
    the old version.
    """
    given_for = body.given_for(call, path.key)
    with following(body.cursor):
        move, batch = await call.run(lambda unit: _batch(unit, call, path, body))
    further = None if batch.after is None else cursor.write(given_for, batch.after)
    return Answer(
        MoveTold(
            fates=[_fate(move, index, waiting) for index, waiting in sorted(batch.tally.waiting_at.items())],
            waits_anew=batch.tally.waits_anew,
            due_at_once=batch.tally.due_at_once,
            next=further,
        )
    )


async def _batch(unit: UnitOfWork, call: Call, path: CadencePath, body: MoveAsked) -> tuple[Move, Batch]:
    move = await prepare_move(
        unit.connection, call.company_id, path.key, old=body.old, new=body.new, actor=call.actor, reason=body.reason
    )
    match move:
        case NotFound():
            raise Problem(Code.CADENCE_NOT_FOUND)
        case NoSuchVersion(wanted, _):
            raise Problem(Code.VERSION_NOT_FOUND, f"the cadence has no version {wanted}")
        case SameVersion():
            raise Problem(Code.SAME_VERSION)
    given_for = body.given_for(call, path.key)
    after = None if body.cursor is None else cursor.read(given_for, body.cursor, place_kinds(move.chosen))
    carry_out = preview_batch if body.dry_run else move_batch
    return move, await carry_out(unit, move, call.engine.policy, rows=ROWS_AT_ONCE, after=after)


def _fate(move: Move, index: int, waiting: int) -> FateTold:
    place = move.place(index)
    step, following = move.old.step_at(index), move.new.step_at(place.index)
    return FateTold(
        step_key=step.key if step else "",
        waiting=waiting,
        fate=place.fate,
        next_step_key=following.key if following else None,
        never=place.never,
        added=place.added,
    )
