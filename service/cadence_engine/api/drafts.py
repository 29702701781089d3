"""Drafts: a definition that is edited over time, and published when it is ready."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, assert_never

from pydantic import Field
from uuid_utils.compat import uuid7

from cadence_engine.api.cadences import Published, published
from cadence_engine.api.call import Call
from cadence_engine.api.definition_body import DEFINITION, definition_in
from cadence_engine.api.etags import etag
from cadence_engine.api.operation import Answer, Operations
from cadence_engine.api.problems import Code, Problem
from cadence_engine.api.wire import Asked, CadencePath, Told
from cadence_engine.definitions import writing
from cadence_engine.domain.api_key import Scope
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.handlers.apply_definition import Created, NewVersion, Unchanged
from cadence_engine.handlers.drafts import (
    NONE,
    Discarded,
    NoDraft,
    Outdated,
    Overtaken,
    Saved,
    discard_draft,
    publish_draft,
    save_draft,
)
from cadence_engine.storage import drafts
from cadence_engine.storage.drafts import Draft

operations = Operations("Drafts", "Definitions that are being edited. A draft touches nothing that runs.")

REVISION = r'^"[0-9]{1,9}"$'
OF_THE_DRAFT = {"ETag": "of the draft as it is now, for If-Match"}


class BasedOn(Asked):
    """The header of a change of a draft that is there."""

    if_match: str = Field(alias="If-Match", pattern=REVISION, description="The ETag of the draft that you looked at.")

    @property
    def revision(self) -> int:
        return int(self.if_match.strip('"'))


class BasedOnOrNew(Asked):
    """The header of an edit."""

    if_match: str | None = Field(
        None,
        alias="If-Match",
        pattern=REVISION,
        description="The ETag of the draft that you edited; without it the draft is new.",
    )

    @property
    def revision(self) -> int:
        return NONE if self.if_match is None else int(self.if_match.strip('"'))


class DraftLine(Told):
    key: str
    name: str
    revision: int = Field(description="moves with every edit; its ETag")
    based_on: int | None = Field(description="the version that was current when it was begun, if any")
    actor: str
    edited_at: datetime


class DraftList(Told):
    drafts: Sequence[DraftLine]


class DraftShown(DraftLine):
    definition: Mapping[str, Any] = Field(description="a CadenceDefinition, which can be edited and sent back")


class Publishing(Asked):
    status: Literal["active", "paused"] = Field("active", description="of the cadence, where this makes a new one")


@operations.add("GET", "/v1/drafts", scope=Scope.READ, answers={200: DraftList})
async def list_drafts(call: Call) -> Answer:
    """What is being edited."""
    async with call.reading() as connection:
        found = await drafts.listed(connection, call.company_id)
    return Answer(DraftList(drafts=[DraftLine(**_line(draft)) for draft in found]))


@operations.add(
    "GET",
    "/v1/drafts/{key}",
    scope=Scope.READ,
    answers={200: DraftShown},
    refusals=[Code.DRAFT_NOT_FOUND],
    answer_headers=OF_THE_DRAFT,
)
async def show_draft(call: Call, path: CadencePath) -> Answer:
    """A draft, to be edited and sent back."""
    async with call.reading() as connection:
        draft = await drafts.one(connection, call.company_id, path.key)
    if draft is None:
        raise Problem(Code.DRAFT_NOT_FOUND)
    return _shown(draft)


@operations.add(
    "PUT",
    "/v1/drafts/{key}",
    scope=Scope.DEFINE,
    answers={200: DraftShown},
    refusals=[Code.INVALID_DEFINITION, Code.PRECONDITION_FAILED],
    text=DEFINITION,
    answer_headers=OF_THE_DRAFT,
)
async def write_draft(call: Call, path: CadencePath, headers: BasedOnOrNew, text: str) -> Answer:
    """Keep a definition as the draft. 412: somebody else has saved another meanwhile."""
    definition = await definition_in(call.company_id, path.key, text)
    outcome = await call.run(
        lambda unit: save_draft(unit, call.company_id, definition, expected=headers.revision, actor=call.actor)
    )
    match outcome:
        case Saved(draft):
            return _shown(draft)
        case Outdated():
            raise _outdated(outcome)
    assert_never(outcome)


@operations.add(
    "DELETE",
    "/v1/drafts/{key}",
    scope=Scope.DEFINE,
    answers={204: None},
    refusals=[Code.DRAFT_NOT_FOUND, Code.PRECONDITION_FAILED],
)
async def throw_away_draft(call: Call, path: CadencePath, headers: BasedOn) -> Answer:
    """Throw the draft away; what is published stays as it is."""
    outcome = await call.run(
        lambda unit: discard_draft(unit, call.company_id, path.key, expected=headers.revision, actor=call.actor)
    )
    match outcome:
        case Discarded():
            return Answer(None, status=204)
        case NoDraft():
            raise Problem(Code.DRAFT_NOT_FOUND)
        case Outdated():
            raise _outdated(outcome)
    assert_never(outcome)


@operations.add(
    "POST",
    "/v1/drafts/{key}/publish",
    scope=Scope.DEFINE,
    answers={201: Published, 200: Published},
    refusals=[Code.DRAFT_NOT_FOUND, Code.PRECONDITION_FAILED, Code.OVERTAKEN],
    answer_headers={"ETag": "of the version that is current now"},
)
async def publish_draft_(call: Call, path: CadencePath, headers: BasedOn, body: Publishing) -> Answer:
    """Make the draft the version that contacts enter from now on; those in flight stay on theirs.

    201: the cadence is new. 200: its next version, or nothing new where the draft says the same.
    """
    outcome = await call.run(
        lambda unit: publish_draft(
            unit,
            call.company_id,
            path.key,
            expected=headers.revision,
            cadence_id=uuid7(),
            actor=call.actor,
            status=CadenceStatus(body.status),
        )
    )
    match outcome:
        case Created() | NewVersion() | Unchanged():
            return published(outcome)
        case NoDraft():
            raise Problem(Code.DRAFT_NOT_FOUND)
        case Outdated():
            raise _outdated(outcome)
        case Overtaken(draft, current):
            begun = "before there was any version" if draft.based_on is None else f"on version {draft.based_on}"
            raise Problem(Code.OVERTAKEN, f"the draft was begun {begun}, and version {current} was published since")
    assert_never(outcome)


def _outdated(outcome: Outdated) -> Problem:
    there = "there is no draft" if outcome.found is None else f"the draft is {etag(outcome.revision)}"
    asked = "no draft was expected" if outcome.expected == NONE else f"If-Match says {etag(outcome.expected)}"
    return Problem(Code.PRECONDITION_FAILED, f"{there}, and {asked}")


def _shown(draft: Draft) -> Answer:
    told = DraftShown(**_line(draft), definition=writing.as_written(draft.definition))
    return Answer(told, headers={"ETag": etag(draft.revision)})


def _line(draft: Draft) -> dict[str, Any]:
    own = {name: getattr(draft, name) for name in DraftLine.model_fields if name != "name"}
    return {**own, "name": draft.definition.name}
