"""What a cadence would do with a contact; nothing is done."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from cadence_contracts.fields import Context, ExternalId
from cadence_engine.api.call import Call
from cadence_engine.api.choosing import AN_EXAMPLE, Moment
from cadence_engine.api.operation import Answer, Operations
from cadence_engine.api.problems import Code, Problem
from cadence_engine.api.wire import Asked, CadencePath, Told
from cadence_engine.domain.api_key import Scope
from cadence_engine.domain.enroll import Refusal
from cadence_engine.domain.enrollment import ParkReason
from cadence_engine.handlers.simulate import Timeline, published, simulate_contacts
from cadence_engine.storage.watermark import clock

operations = Operations("Simulate", "What would become of contacts, by the worker's own rules. Nothing is done.")

MOST_CONTACTS = 100


class SimulationAsked(Asked):
    contact_ids: Annotated[list[ExternalId], Field(min_length=1, max_length=MOST_CONTACTS)]
    start: Moment | None = Field(None, description=f"when the trigger comes; now, if not said; {AN_EXAMPLE}")
    context: Context = Field(default_factory=dict, description="what the trigger brings")


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

    version: int
    paused: bool
    contacts: Sequence[SimulatedTold]


@operations.add(
    "POST",
    "/v1/cadences/{key}/simulate",
    scope=Scope.READ,
    answers={200: Simulation},
    refusals=[Code.CADENCE_NOT_FOUND],
)
async def simulate(call: Call, path: CadencePath, body: SimulationAsked) -> Answer:
    """The exact timeline of contacts in the current version: each step, its time, its text, what it would lack."""
    policy = call.engine.policy
    async with call.reading() as connection:
        plan = await published(connection, call.company_id, path.key)
        if plan is None:
            raise Problem(Code.CADENCE_NOT_FOUND)
        start = body.start or await clock(connection)
        found = await simulate_contacts(connection, plan, body.contact_ids, body.context, start, policy)
    told = [_told(each) for each in found]
    return Answer(Simulation(version=plan.version.version, paused=plan.paused, contacts=told))


def _told(timeline: Timeline) -> SimulatedTold:
    return SimulatedTold.model_validate(timeline)
