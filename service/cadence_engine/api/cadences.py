"""Cadences: look at them, publish them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, assert_never
from uuid import UUID

from pydantic import Field
from uuid_utils.compat import uuid7

from cadence_engine.api.call import Call
from cadence_engine.api.definition_body import DEFINITION, definition_in
from cadence_engine.api.etags import Preconditions, etag
from cadence_engine.api.operation import Answer, Operations
from cadence_engine.api.problems import Code, Problem
from cadence_engine.api.wire import Asked, CadencePath, Told
from cadence_engine.definitions import writing
from cadence_engine.domain.api_key import Scope
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.handlers import apply_definition
from cadence_engine.handlers.apply_definition import Created, NewVersion, Proposed, Unchanged, apply_definitions
from cadence_engine.storage import cadences
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.published import versions_of
from cadence_engine.storage.reports import cadences as reports
from cadence_engine.storage.reports.cadences import CadenceLine

operations = Operations(
    "Cadences",
    "Definitions and their status. A published version never changes: publishing again makes the next one, and who is "
    "on the way stays on theirs.",
)


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


class VersionTold(Told):
    version: int
    created_at: datetime = Field(description="when it was published")
    actor: str = Field(description="by whom")
    live: int = Field(description="how many contacts are on their way in it")


class Versions(Told):
    """The newest first."""

    versions: Sequence[VersionTold]


class Published(Told):
    key: str
    version: int
    outcome: Literal["created", "newVersion", "unchanged"]
    status: CadenceStatus


class Listing(Asked):
    archived: bool = Field(False, description="those that are out of use too")


@operations.add("GET", "/v1/cadences", scope=Scope.READ, answers={200: CadenceList})
async def list_cadences(call: Call, query: Listing) -> Answer:
    """Every cadence by key, and how many contacts are in it."""
    async with call.reading() as connection:
        lines = await reports.listed(connection, call.company_id, archived=query.archived)
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
    "GET",
    "/v1/cadences/{key}/versions",
    scope=Scope.READ,
    answers={200: Versions},
    refusals=[Code.CADENCE_NOT_FOUND],
)
async def list_versions(call: Call, path: CadencePath) -> Answer:
    """Every version that was published, and how many contacts are on their way in each."""
    async with call.reading() as connection:
        line = await reports.one(connection, call.company_id, path.key)
        if line is None:
            raise Problem(Code.CADENCE_NOT_FOUND)
        found = await versions_of(connection, call.company_id, line.cadence_id)
    return Answer(Versions(versions=[VersionTold.model_validate(each) for each in found]))


@operations.add(
    "PUT",
    "/v1/cadences/{key}",
    scope=Scope.DEFINE,
    answers={201: Published, 200: Published},
    refusals=[Code.INVALID_DEFINITION, Code.PRECONDITION_FAILED],
    text=DEFINITION,
    answer_headers={"ETag": "of the version that is current now"},
)
async def publish_cadence(call: Call, path: CadencePath, headers: Preconditions, text: str) -> Answer:
    """Publish a definition.

    201: the cadence is new, and active. 200: its next version, or nothing new where it says the same. With `If-Match`
    only if nobody published in between; with `If-None-Match: *` only if there is none with that key yet.
    """
    definition = await definition_in(call.company_id, path.key, text)

    async def work(unit: UnitOfWork) -> apply_definition.Outcome:
        current = await cadences.lock(unit.connection, call.company_id, path.key)
        headers.check(None if current is None else str(current.current_version))
        proposed = Proposed(call.company_id, definition, uuid7())
        return (await apply_definitions(unit, [proposed], call.actor))[0]

    return published(await call.run(work))


def published(outcome: apply_definition.Outcome) -> Answer:
    """What came of it, with the ETag of what is current now."""
    version = outcome.version
    headers = {"ETag": etag(version.version)}
    key = version.definition.key
    match outcome:
        case Created(_, status):
            told = Published(key=key, version=version.version, outcome="created", status=status)
            return Answer(told, status=201, headers=headers)
        case NewVersion(_, status):
            told = Published(key=key, version=version.version, outcome="newVersion", status=status)
        case Unchanged(_, status):
            told = Published(key=key, version=version.version, outcome="unchanged", status=status)
        case _:
            assert_never(outcome)
    return Answer(told, headers=headers)


def _line(line: CadenceLine) -> dict[str, Any]:
    return {name: getattr(line, name) for name in CadenceTold.model_fields}
