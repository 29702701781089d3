"""Halting: hold every step of the company at once, and let them go again."""

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from pydantic import Field

from cadence_engine.api.call import Call
from cadence_engine.api.operation import Answer, Operations
from cadence_engine.api.problems import Code, Problem
from cadence_engine.api.wire import Asked, Told, Why, Words
from cadence_engine.domain.api_key import Scope
from cadence_engine.handlers.halt import AlreadyHalted, Halted, NotHalted, Unhalted, UnknownCompany, claims_over, unhalt
from cadence_engine.handlers.halt import halt as begin
from cadence_engine.storage import halts
from cadence_engine.storage.halts import Halt

SHOWN = 50

operations = Operations("Halts", "The brake: no step runs while one is in force; people enter and leave meanwhile.")


class HaltAsked(Asked):
    reason: Words


class HaltTold(Told):
    """`endedAt` null: in force."""

    of_everybody: bool = Field(description="of all companies: only whoever runs the deployment begins and ends it")
    started_at: datetime
    started_by: str
    reason: str
    ended_at: datetime | None
    ended_by: str | None
    end_reason: str | None

    @classmethod
    def of(cls, halt: Halt) -> "HaltTold":
        own = {name: getattr(halt, name) for name in cls.model_fields if name != "of_everybody"}
        return cls(of_everybody=halt.company_id is None, **own)


class HaltList(Told):
    """`inForce`: what holds your steps now; `history`: the newest 50, the newest first."""

    in_force: Sequence[HaltTold]
    history: Sequence[HaltTold]


@operations.add("GET", "/v1/halts", scope=Scope.READ, answers={200: HaltList})
async def list_halts(call: Call) -> Answer:
    """What holds every step of your company, and what did so before."""
    async with call.reading() as connection:
        in_force = await halts.holding(connection, call.company_id)
        history = await halts.history(connection, call.company_id, SHOWN)
    return Answer(
        HaltList(in_force=[HaltTold.of(each) for each in in_force], history=[HaltTold.of(each) for each in history])
    )


@operations.add("POST", "/v1/halt", scope=Scope.OPERATE, answers={200: HaltTold}, refusals=[Code.COMPANY_NOT_FOUND])
async def halt(call: Call, body: HaltAsked) -> Answer:
    """Hold every step of your company: no send is decided once this has answered.

    Again is fine: the halt that is in force stays as it was. 503: it is in force, and claims under way were not seen to
    end in time; ask again.
    """
    outcome = await call.run(lambda unit: begin(unit, call.company_id, actor=call.actor, reason=body.reason))
    match outcome:
        case UnknownCompany():
            raise Problem(Code.COMPANY_NOT_FOUND)
        case Halted(begun) | AlreadyHalted(begun):
            await call.run(claims_over)
            return Answer(HaltTold.of(begun))
    assert_never(outcome)


@operations.add("POST", "/v1/unhalt", scope=Scope.OPERATE, answers={200: HaltTold}, refusals=[Code.NOT_HALTED])
async def unhalt_(call: Call, body: Why) -> Answer:
    """End the halt of your company. What became due meanwhile runs as after an outage, the longest due first."""
    outcome = await call.run(lambda unit: unhalt(unit, call.company_id, actor=call.actor, reason=body.reason))
    match outcome:
        case NotHalted():
            raise Problem(Code.NOT_HALTED)
        case Unhalted(ended):
            return Answer(HaltTold.of(ended))
    assert_never(outcome)
