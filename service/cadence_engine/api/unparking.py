"""Parked enrollments: look at them again, after what parked them was mended."""

from uuid import UUID

from pydantic import Field

from cadence_engine.api.call import Call
from cadence_engine.api.following import InBatches, NextBatch, following
from cadence_engine.api.operation import Answer, Operations
from cadence_engine.api.problems import Code, Problem
from cadence_engine.api.wire import CadencePath, Told
from cadence_engine.domain.api_key import Scope
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.handlers.unpark import retry_parked
from cadence_engine.storage import cursor
from cadence_engine.storage.reports import cadences as reports

operations = Operations(
    "Unparking",
    "A parked enrollment goes on by itself when what it lacks arrives. After a fault, somebody says so.",
)


class UnparkAsked(InBatches):
    """Nothing is to be said but where to go on."""


class UnparkTold(Told):
    """Of this batch."""

    looked_at: int
    going_on: int = Field(description="the others still lack something: their `parkDetail` says what")
    next: NextBatch


@operations.add(
    "POST",
    "/v1/cadences/{key}/unpark",
    scope=Scope.OPERATE,
    answers={200: UnparkTold},
    refusals=[Code.CADENCE_NOT_FOUND, Code.CADENCE_NOT_ACTIVE, Code.BAD_CURSOR],
)
async def unpark_cadence(call: Call, path: CadencePath, body: UnparkAsked) -> Answer:
    """Look again at what a cadence has parked, whatever the reason: up to 500 in a call, until `next` is null.

    Whatever lacks nothing any more is due when it was, which is at once. Again is fine.
    """
    given_for, after = body.given_for(call, path.key), None
    with following(body.cursor):
        if body.cursor is not None:
            (after,) = cursor.read(given_for, body.cursor, (UUID,))
    async with call.reading() as connection:
        cadence = await reports.one(connection, call.company_id, path.key)
    if cadence is None:
        raise Problem(Code.CADENCE_NOT_FOUND)
    if cadence.status is not CadenceStatus.ACTIVE:
        raise Problem(Code.CADENCE_NOT_ACTIVE)
    batch = await call.run(
        lambda unit: retry_parked(unit, call.company_id, cadence.cadence_id, after=after, actor=call.actor)
    )
    further = None if batch.after is None else cursor.write(given_for, (batch.after,))
    return Answer(UnparkTold(looked_at=batch.looked_at, going_on=batch.going_on, next=further))
