"""Cadences: pause and resume, archive and unarchive.

Each holds from the answer on; enrollments follow in batches, moved by a worker: `settled` tells when all have.
"""

from typing import Protocol, assert_never

from pydantic import Field

from cadence_engine.api.call import Call
from cadence_engine.api.operation import Answer, Operations
from cadence_engine.api.problems import Code, Problem
from cadence_engine.api.wire import CadencePath, Told, Why
from cadence_engine.domain.api_key import Scope
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.handlers.cadence_status import (
    AlreadySo,
    Flagged,
    IsArchived,
    NotArchived,
    NotFound,
    StillMoving,
    archive_cadence,
    pause_cadence,
    resume_cadence,
    unarchive_cadence,
)
from cadence_engine.storage.database import UnitOfWork

operations = Operations(
    "Cadence status",
    "A status holds from the answer on. Enrollments are moved to fit it in batches: `settled` tells when all are.",
)

AGAIN_SOON = {"Retry-After": "2"}
Outcome = Flagged | AlreadySo | NotFound | StillMoving | IsArchived | NotArchived


class Change(Protocol):
    """A handler of this sort."""

    async def __call__(
        self, unit: UnitOfWork, company_id: str, key: str, *, actor: str, reason: str | None
    ) -> Outcome: ...


class CadenceStatusTold(Told):
    key: str
    status: CadenceStatus
    settled: bool = Field(description="false: it holds already, and enrollments are being moved to fit it")
    actor: str | None
    reason: str | None


@operations.add(
    "POST",
    "/v1/cadences/{key}/pause",
    scope=Scope.OPERATE,
    answers={200: CadenceStatusTold},
    refusals=[Code.CADENCE_NOT_FOUND, Code.CADENCE_ARCHIVED],
)
async def pause_cadence_(call: Call, path: CadencePath, body: Why) -> Answer:
    """Let nobody enter and no step run, from now on; each enrollment keeps the rest of its wait.

    Again is fine, and changes nothing: the answer has who paused it first, and why.
    """
    return await _set(pause_cadence, call, path, body)


@operations.add(
    "POST",
    "/v1/cadences/{key}/resume",
    scope=Scope.OPERATE,
    answers={200: CadenceStatusTold},
    refusals=[Code.CADENCE_NOT_FOUND, Code.CADENCE_ARCHIVED, Code.STILL_MOVING],
)
async def resume_cadence_(call: Call, path: CadencePath, body: Why) -> Answer:
    """Go on where it was paused: the rest of each wait begins now. Again is fine.

    What was overdue goes one after the other, ten a second, so that nothing bursts.
    """
    return await _set(resume_cadence, call, path, body)


@operations.add(
    "POST",
    "/v1/cadences/{key}/archive",
    scope=Scope.DEFINE,
    answers={200: CadenceStatusTold},
    refusals=[Code.CADENCE_NOT_FOUND],
)
async def archive_cadence_(call: Call, path: CadencePath, body: Why) -> Answer:
    """Take it out of use: nobody enters, and whoever is in it is cancelled. Its history stays. Again is fine."""
    return await _set(archive_cadence, call, path, body)


@operations.add(
    "POST",
    "/v1/cadences/{key}/unarchive",
    scope=Scope.DEFINE,
    answers={200: CadenceStatusTold},
    refusals=[Code.CADENCE_NOT_FOUND, Code.NOT_ARCHIVED, Code.STILL_MOVING],
)
async def unarchive_cadence_(call: Call, path: CadencePath, body: Why) -> Answer:
    """Take the archiving back: it is paused then. Whom that cancelled stays cancelled."""
    return await _set(unarchive_cadence, call, path, body)


async def _set(change: Change, call: Call, path: CadencePath, body: Why) -> Answer:
    outcome = await call.run(lambda unit: change(unit, call.company_id, path.key, actor=call.actor, reason=body.reason))
    match outcome:
        case NotFound():
            raise Problem(Code.CADENCE_NOT_FOUND)
        case IsArchived():
            raise Problem(Code.CADENCE_ARCHIVED)
        case NotArchived():
            raise Problem(Code.NOT_ARCHIVED)
        case StillMoving():
            raise Problem(Code.STILL_MOVING, headers=AGAIN_SOON)
        case Flagged(cadence) | AlreadySo(cadence):
            return Answer(CadenceStatusTold.model_validate(cadence))
    assert_never(outcome)
