"""What a cadence would do with a contact; nothing is done."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, model_validator

from cadence_contracts.fields import Context, ExternalId
from cadence_engine.api.call import Call
from cadence_engine.api.choosing import AN_EXAMPLE, Moment
from cadence_engine.api.definition_body import definition_in
from cadence_engine.api.operation import Answer, Operations
from cadence_engine.api.problems import Code, Problem
from cadence_engine.api.wire import Asked, CadencePath, Told
from cadence_engine.domain.api_key import Scope
from cadence_engine.domain.cadence import Definition
from cadence_engine.domain.enroll import Refusal
from cadence_engine.domain.enrollment import ParkReason
from cadence_engine.handlers.simulate import Plan, Timeline, proposed, published, simulate_contacts
from cadence_engine.storage import drafts
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.watermark import clock

operations = Operations("Simulate", "What would become of contacts, by the worker's own rules. Nothing is done.")

MOST_CONTACTS = 100


class SimulationAsked(Asked):
    contact_ids: Annotated[list[ExternalId], Field(min_length=1, max_length=MOST_CONTACTS)]
    start: Moment | None = Field(None, description=f"when the trigger comes; now, if not said; {AN_EXAMPLE}")
    context: Context = Field(default_factory=dict, description="what the trigger brings")
    draft: bool = Field(False, description="the draft with that key, in place of the current version")
    definition: Mapping[str, Any] | None = Field(
        None, description="this one, a CadenceDefinition with that key, in place of the current version; it is not kept"
    )

    @model_validator(mode="after")
    def _is_one(self) -> "SimulationAsked":
        if self.draft and self.definition is not None:
            raise ValueError("either the draft or a definition")
        return self


class SimulatedStepTold(Told):
    key: str
    at: datetime
    local: datetime = Field(description="the same instant on the contact's clock")
    template: str
    category: str
    language: str | None
    variables: Mapping[str, str]
    parks: ParkReason | None = Field(description="it could not be sent as things are")
    detail: str | None = Field(description="what to mend")


class SimulatedTold(Told):
    """`refused`: nothing starts, by that rule. `enrolled`: the contact is in the cadence already."""

    contact_id: str
    zone: str
    start: datetime
    refused: Refusal | None
    enrolled: UUID | None
    steps: Sequence[SimulatedStepTold]
    completes_at: datetime | None = Field(description="null: it does not, as a step parks")
    tags: Sequence[str]


class Simulation(Told):
    """`paused`: the cadence is, and was simulated as if it went on."""

    version: int = Field(description="the current one; of a draft or a definition the one that it would become")
    paused: bool
    contacts: Sequence[SimulatedTold]


@operations.add(
    "POST",
    "/v1/cadences/{key}/simulate",
    scope=Scope.READ,
    answers={200: Simulation},
    refusals=[Code.CADENCE_NOT_FOUND, Code.DRAFT_NOT_FOUND, Code.INVALID_DEFINITION],
)
async def simulate(call: Call, path: CadencePath, body: SimulationAsked) -> Answer:
    """The exact timeline of contacts: each step, its time, its text, what it would lack.

    Of the cadence's current version; or, before anybody is in it, of its `draft`, or of a `definition` that is sent
    along, as the version that it would become.
    """
    policy = call.engine.policy
    definition = None
    if body.definition is not None:
        definition = await definition_in(call.company_id, path.key, json.dumps(body.definition), within="/definition")
    async with call.reading() as connection:
        plan = await _plan(connection, call.company_id, path.key, definition, draft=body.draft)
        start = body.start or await clock(connection)
        found = await simulate_contacts(connection, plan, body.contact_ids, body.context, start, policy)
    told = [_told(each) for each in found]
    return Answer(Simulation(version=plan.version.version, paused=plan.paused, contacts=told))


async def _plan(
    connection: Connection, company_id: str, key: str, definition: Definition | None, *, draft: bool
) -> Plan:
    if draft:
        found = await drafts.one(connection, company_id, key)
        if found is None:
            raise Problem(Code.DRAFT_NOT_FOUND)
        definition = found.definition
    if definition is not None:
        return await proposed(connection, company_id, definition)
    plan = await published(connection, company_id, key)
    if plan is None:
        raise Problem(Code.CADENCE_NOT_FOUND)
    return plan


def _told(timeline: Timeline) -> SimulatedTold:
    return SimulatedTold.model_validate(timeline)
