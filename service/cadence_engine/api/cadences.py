"""Cadences: look at them, publish them, pause and resume them."""

from asyncio import to_thread
from collections.abc import Mapping, Sequence
from typing import Any, Literal, assert_never
from uuid import UUID

from pydantic import Field
from uuid_utils.compat import uuid7

from cadence_engine.api.call import Call
from cadence_engine.api.etags import Preconditions, etag
from cadence_engine.api.operation import Answer, Operations, TextBody
from cadence_engine.api.problems import Code, Problem, Wrong, pointer
from cadence_engine.api.wire import CadencePath, Told, Why
from cadence_engine.definitions import writing
from cadence_engine.definitions.load import CompanyDefinition, load
from cadence_engine.definitions.problems import BadDefinitions
from cadence_engine.definitions.shape import CadenceShape
from cadence_engine.domain.api_key import Scope
from cadence_engine.domain.cadence import Definition
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.handlers import apply_definition
from cadence_engine.handlers.apply_definition import Created, NewVersion, Proposed, Unchanged, apply_definitions
from cadence_engine.handlers.cadence_status import (
    AlreadySo,
    Flagged,
    NotFound,
    StillMoving,
    pause_cadence,
    resume_cadence,
)
from cadence_engine.storage import cadences
from cadence_engine.storage.cadences import Cadence
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.reports import cadences as reports
from cadence_engine.storage.reports.cadences import CadenceLine

operations = Operations(
    "Cadences",
    "Definitions and their status. A published version never changes: publishing again makes the next one, and who is "
    "on the way stays on theirs.",
)


class CadenceDefinition(CadenceShape):
    """A definition as it is written, in JSON or YAML. Durations are ISO 8601 (`P3D`, `PT90M`)."""


class CadenceTold(Told):
    """`counts`: live enrollments by status."""

    cadence_id: UUID
    key: str
    name: str
    trigger: str
    status: CadenceStatus
    settled: bool = Field(description="false: enrollments are still being moved to fit the status")
    actor: str | None = Field(description="who set the status")
    reason: str | None
    version: int = Field(description="the current one: who enters takes it")
    counts: Mapping[str, int]


class CadenceList(Told):
    cadences: Sequence[CadenceTold]


class CadenceShown(CadenceTold):
    """`counts`: all that ever entered by status, the cancelled ones by reason too (`cancelled:replied`)."""

    definition: Mapping[str, Any] = Field(description="a CadenceDefinition, which can be sent back as it is")


class Published(Told):
    key: str
    version: int
    outcome: Literal["created", "newVersion", "unchanged"]
    status: CadenceStatus


class CadenceStatusTold(Told):
    key: str
    status: CadenceStatus
    settled: bool = Field(description="false: it holds already, and enrollments are being moved to fit it")
    actor: str | None
    reason: str | None


@operations.add("GET", "/v1/cadences", scope=Scope.READ, answers={200: CadenceList})
async def list_cadences(call: Call) -> Answer:
    """Every cadence by key, and how many contacts are in it."""
    async with call.reading() as connection:
        lines = await reports.listed(connection, call.company_id)
    return Answer(CadenceList(cadences=[CadenceTold(**_line(line)) for line in lines]))


@operations.add(
    "GET",
    "/v1/cadences/{key}",
    scope=Scope.READ,
    answers={200: CadenceShown},
    refusals=[Code.CADENCE_NOT_FOUND],
    answer_headers={"ETag": "of the current version, for If-Match"},
)
async def show_cadence(call: Call, path: CadencePath) -> Answer:
    """A cadence's current definition, and how its enrollments went."""
    async with call.reading() as connection:
        line = await reports.one(connection, call.company_id, path.key)
        if line is None:
            raise Problem(Code.CADENCE_NOT_FOUND)
        found = await cadences.versions(connection, [line.version_key])
    definition = writing.as_written(found[line.version_key].definition)
    return Answer(CadenceShown(**_line(line), definition=definition), headers={"ETag": etag(line.version)})


@operations.add(
    "PUT",
    "/v1/cadences/{key}",
    scope=Scope.DEFINE,
    answers={201: Published, 200: Published},
    refusals=[Code.INVALID_DEFINITION, Code.PRECONDITION_FAILED],
    text=TextBody(CadenceDefinition, ("application/json", "application/yaml")),
    answer_headers={"ETag": "of the version that is current now"},
)
async def publish_cadence(call: Call, path: CadencePath, headers: Preconditions, text: str) -> Answer:
    """Publish a definition.

    201: the cadence is new, and active. 200: its next version, or nothing new where it says the same. With `If-Match`
    only if nobody published in between; with `If-None-Match: *` only if there is none with that key yet.
    """
    definition = await _definition(call.company_id, path.key, text)

    async def work(unit: UnitOfWork) -> apply_definition.Outcome:
        current = await cadences.lock(unit.connection, call.company_id, path.key)
        headers.check(None if current is None else str(current.current_version))
        proposed = Proposed(call.company_id, definition, uuid7())
        return (await apply_definitions(unit, [proposed], call.actor))[0]

    return _published(await call.run(work))


async def _definition(company_id: str, key: str, text: str) -> Definition:
    try:
        # Large texts take a while to read: other calls go on meanwhile.
        loaded = await to_thread(load, [("body", text)], company_id)
    except BadDefinitions as bad:
        raise Problem(Code.INVALID_DEFINITION, errors=_wrongs(bad)) from None
    return _only(loaded, key)


def _only(loaded: Sequence[CompanyDefinition], key: str) -> Definition:
    if len(loaded) != 1:
        raise _wrong_at("", f"holds {len(loaded)} definitions: send one at a time")
    definition = loaded[0].definition
    if definition.key != key:
        raise _wrong_at("/key", f"is `{definition.key}`, and the path says `{key}`: they must be the same")
    return definition


def _wrong_at(place: str, detail: str) -> Problem:
    return Problem(Code.INVALID_DEFINITION, errors=[Wrong(place="body", pointer=place, detail=detail)])


def _wrongs(bad: BadDefinitions) -> list[Wrong]:
    return [
        Wrong(
            place="body",
            pointer=pointer(problem.path),
            detail=problem.message,
            line=problem.mark.line,
            column=problem.mark.column,
        )
        for problem in bad.problems
    ]


def _published(outcome: apply_definition.Outcome) -> Answer:
    version = outcome.version
    headers = {"ETag": etag(version.version)}
    key = version.definition.key
    match outcome:
        case Created():
            told = Published(key=key, version=version.version, outcome="created", status=CadenceStatus.ACTIVE)
            return Answer(told, status=201, headers=headers)
        case NewVersion(_, status):
            told = Published(key=key, version=version.version, outcome="newVersion", status=status)
        case Unchanged(_, status):
            told = Published(key=key, version=version.version, outcome="unchanged", status=status)
        case _:
            assert_never(outcome)
    return Answer(told, headers=headers)


@operations.add(
    "POST",
    "/v1/cadences/{key}/pause",
    scope=Scope.OPERATE,
    answers={200: CadenceStatusTold},
    refusals=[Code.CADENCE_NOT_FOUND],
)
async def pause(call: Call, path: CadencePath, body: Why) -> Answer:
    """Let nobody enter and no step run, from now on; each enrollment keeps the rest of its wait. Again is fine."""
    outcome = await call.run(
        lambda unit: pause_cadence(unit, call.company_id, path.key, actor=call.actor, reason=body.reason)
    )
    match outcome:
        case NotFound():
            raise Problem(Code.CADENCE_NOT_FOUND)
        case Flagged(cadence) | AlreadySo(cadence):
            return _status(cadence)
    assert_never(outcome)


@operations.add(
    "POST",
    "/v1/cadences/{key}/resume",
    scope=Scope.OPERATE,
    answers={200: CadenceStatusTold},
    refusals=[Code.CADENCE_NOT_FOUND, Code.STILL_MOVING],
)
async def resume(call: Call, path: CadencePath, body: Why) -> Answer:
    """Go on where it was paused: the rest of each wait begins now, so that nothing bursts. Again is fine."""
    outcome = await call.run(
        lambda unit: resume_cadence(unit, call.company_id, path.key, actor=call.actor, reason=body.reason)
    )
    match outcome:
        case NotFound():
            raise Problem(Code.CADENCE_NOT_FOUND)
        case StillMoving():
            raise Problem(Code.STILL_MOVING, headers={"Retry-After": "2"})
        case Flagged(cadence) | AlreadySo(cadence):
            return _status(cadence)
    assert_never(outcome)


def _status(cadence: Cadence) -> Answer:
    return Answer(CadenceStatusTold.model_validate(cadence))


def _line(line: CadenceLine) -> dict[str, Any]:
    return {name: getattr(line, name) for name in CadenceTold.model_fields}
