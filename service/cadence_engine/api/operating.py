"""Operating on enrollments: pause, resume, skip, hasten and cancel one; all that are chosen, batch by batch."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Literal, assert_never

from pydantic import Field, model_validator

from cadence_engine.api.call import Call
from cadence_engine.api.choosing import AN_EXAMPLE, Choice, Moment
from cadence_engine.api.enrollments import EnrollmentPath, EnrollmentTold
from cadence_engine.api.following import InBatches, NextBatch, following
from cadence_engine.api.operation import Answer, Operations
from cadence_engine.api.problems import Code, Problem
from cadence_engine.api.wire import Key, Told, Why, Words
from cadence_engine.domain.api_key import Scope
from cadence_engine.domain.operate import Cancel, Left, Operation, Pause, Resume, RunNow, Skip
from cadence_engine.domain.resume import ResumeMode
from cadence_engine.domain.spread import WELL_APART
from cadence_engine.handlers.operate import (
    Batch,
    Done,
    LeftAsIs,
    NotFound,
    Order,
    eligible,
    operate_on,
    operate_on_batch,
)
from cadence_engine.storage import cursor
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.enrollments import choose
from cadence_engine.storage.enrollments.cursor import kinds as place_kinds

operations = Operations("Operating", "What an operator may do with enrollments. Each is told in their history.")

ROWS_AT_ONCE = 500
A_MINUTE = timedelta(minutes=1)
REFUSED_BY = {
    Left.ENDED: Code.ENROLLMENT_ENDED,
    Left.PAUSED: Code.ENROLLMENT_PAUSED,
    Left.PARKED: Code.ENROLLMENT_PARKED,
    Left.HELD_BY_CADENCE: Code.HELD_BY_CADENCE,
    Left.ANOTHER_STEP: Code.ANOTHER_STEP,
}
"""Left.ALREADY is no refusal: asking again is fine."""


class PauseAsked(Why):
    until: Moment | None = Field(None, description=f"then it goes on by itself, within a minute; {AN_EXAMPLE}")


class ResumeAsked(Why):
    mode: ResumeMode = Field(
        ResumeMode.SHIFT,
        description="shift: the rest of the wait begins now. catch_up: the next step keeps its time. "
        "skip_missed: steps whose time has passed are skipped.",
    )


class SkipAsked(Why):
    step_key: Key = Field(description="the step that it waits at: asked again, no other one is skipped")


class OrderAsked(InBatches):
    """What is to be done with which enrollments."""

    operation: Literal["pause", "resume", "skip", "run_now", "cancel"]
    choice: Choice = Field(description="which; at least one thing must be given")
    reason: Words | None = None
    until: Moment | None = Field(None, description="of pause: then they go on by themselves")
    mode: ResumeMode = Field(ResumeMode.SHIFT, description="of resume")
    per_minute: Annotated[int, Field(ge=1, le=60_000, description="of resume: how many overdue ones go a minute")] = (
        A_MINUTE // WELL_APART
    )
    step_key: Key | None = Field(None, description="of skip, which needs it: the step")
    dry_run: bool = Field(False, description="only count how many it would be about")

    @model_validator(mode="after")
    def _is_whole(self) -> "OrderAsked":
        if self.operation == "skip" and self.step_key is None:
            raise ValueError("skip needs stepKey")
        if not self.choice.model_fields_set:
            raise ValueError("choice is empty: that would be every enrollment; name at least a status")
        return self

    def what(self) -> Operation:
        match self.operation:
            case "pause":
                return Pause(self.until)
            case "resume":
                return Resume(self.mode)
            case "skip":
                return Skip(self.step_key or "")
            case "run_now":
                return RunNow()
            case "cancel":
                return Cancel()
        assert_never(self.operation)


class OrderTold(Told):
    """Of this batch."""

    counted: int | None = Field(description="of a dry run: how many it would be about")
    done: int
    left: Mapping[str, int] = Field(description="how many were left as they are, by why")
    next: NextBatch


NOT_DONE = [Code.ENROLLMENT_NOT_FOUND, *REFUSED_BY.values()]


@operations.add(
    "POST",
    "/v1/enrollments/{enrollmentId}/pause",
    scope=Scope.OPERATE,
    answers={200: EnrollmentTold},
    refusals=NOT_DONE,
)
async def pause_enrollment(call: Call, path: EnrollmentPath, body: PauseAsked) -> Answer:
    """Let no step run until it is resumed, and keep the rest of the wait. It outlasts a resumption of its cadence.

    Again is fine: another `until` counts from then on, with its reason; the same changes nothing, its reason neither.
    """
    return await _operate(call, path, Pause(body.until), body)


@operations.add(
    "POST",
    "/v1/enrollments/{enrollmentId}/resume",
    scope=Scope.OPERATE,
    answers={200: EnrollmentTold},
    refusals=NOT_DONE,
)
async def resume_enrollment(call: Call, path: EnrollmentPath, body: ResumeAsked) -> Answer:
    """Let what an operator has paused go on."""
    return await _operate(call, path, Resume(body.mode), body)


@operations.add(
    "POST",
    "/v1/enrollments/{enrollmentId}/skip",
    scope=Scope.OPERATE,
    answers={200: EnrollmentTold},
    refusals=NOT_DONE,
)
async def skip_step(call: Call, path: EnrollmentPath, body: SkipAsked) -> Answer:
    """Pass over the step that it waits at."""
    return await _operate(call, path, Skip(body.step_key), body)


@operations.add(
    "POST",
    "/v1/enrollments/{enrollmentId}/run-now",
    scope=Scope.OPERATE,
    answers={200: EnrollmentTold},
    refusals=NOT_DONE,
)
async def run_now(call: Call, path: EnrollmentPath, body: Why) -> Answer:
    """Do not wait any longer for the next step: it runs as any step that is due."""
    return await _operate(call, path, RunNow(), body)


@operations.add(
    "POST",
    "/v1/enrollments/{enrollmentId}/cancel",
    scope=Scope.OPERATE,
    answers={200: EnrollmentTold},
    refusals=[Code.ENROLLMENT_NOT_FOUND, Code.ENROLLMENT_ENDED],
)
async def cancel_enrollment(call: Call, path: EnrollmentPath, body: Why) -> Answer:
    """End a live enrollment. Again is fine; one that is completed stays completed."""
    return await _operate(call, path, Cancel(), body)


async def _operate(call: Call, path: EnrollmentPath, operation: Operation, body: Why) -> Answer:
    order = Order(operation, call.actor, body.reason)
    outcome = await call.run(
        lambda unit: operate_on(unit, call.company_id, path.enrollment_id, order, call.engine.policy)
    )
    match outcome:
        case Done(enrollment) | LeftAsIs(enrollment, Left.ALREADY):
            return Answer(EnrollmentTold.of(enrollment))
        case NotFound():
            raise Problem(Code.ENROLLMENT_NOT_FOUND)
        case LeftAsIs(_, why):
            raise Problem(REFUSED_BY[why], why.meaning)
    assert_never(outcome)


@operations.add(
    "POST",
    "/v1/enrollment-orders",
    scope=Scope.OPERATE,
    answers={200: OrderTold},
    refusals=[Code.CADENCE_NOT_FOUND, Code.BAD_CURSOR],
)
async def operate_on_chosen(call: Call, body: OrderAsked) -> Answer:
    """Pause, resume, skip, hasten or cancel all that are chosen: up to 500 in a call, until `next` is null.

    Count them first with `dryRun`. Interrupted, give the order again: what is done is left as it is.
    """
    order = Order(body.what(), call.actor, body.reason, apart=A_MINUTE / body.per_minute)
    if body.dry_run:
        async with call.reading() as connection:
            chosen = await body.choice.resolve(connection, call.company_id)
            counted = await choose.count(connection, eligible(chosen, order.operation))
        return Answer(OrderTold(counted=counted, done=0, left={}, next=None))

    given_for = body.given_for(call)

    async def work(unit: UnitOfWork) -> tuple[Batch, str | None]:
        chosen = await body.choice.resolve(unit.connection, call.company_id)
        after, free_from = None, None
        if body.cursor is not None:
            kinds = place_kinds(eligible(chosen, order.operation))
            *place, free_from = cursor.read(given_for, body.cursor, (*kinds, datetime))
            after = tuple(place)
        batch = await operate_on_batch(
            unit, chosen, order, call.engine.policy, rows=ROWS_AT_ONCE, after=after, free_from=free_from
        )
        if batch.after is None:
            return batch, None
        return batch, cursor.write(given_for, (*batch.after, batch.free_from))

    with following(body.cursor):
        batch, further = await call.run(work)
    left = {why.value: count for why, count in batch.left.items()}
    return Answer(OrderTold(counted=None, done=batch.done, left=left, next=further))
