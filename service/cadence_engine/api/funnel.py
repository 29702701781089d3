"""The funnel of a cadence: how far contacts come, and where they reply."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field

from cadence_engine.api.call import Call
from cadence_engine.api.operation import Answer, Operations
from cadence_engine.api.problems import Code, Problem
from cadence_engine.api.wire import Asked, CadencePath, Told
from cadence_engine.domain.api_key import Scope
from cadence_engine.handlers.funnel import funnels

operations = Operations("Funnel", "How far contacts come in each version, and after which step they reply.")


class Versions(Asked):
    version: Annotated[int | None, Field(ge=1, lt=2**31, description="only this one")] = None


class StepTold(Told):
    key: str
    reached: int = Field(description="how many had it as their next step")
    sent: int
    skipped: int
    parked: int = Field(description="how often it parked")
    replied: int = Field(description="passages that a reply ended behind it")
    reply_rate: float | None = Field(description="replies to sends; null before the first send")


class FunnelTold(Told):
    version: int
    started: int
    live: int
    completed: int
    cancelled: Mapping[str, int] = Field(description="by reason")
    replied_before: int = Field(description="passages that a reply ended before the first step")
    replied: int
    reply_rate: float | None
    completion_rate: float | None
    steps: Sequence[StepTold]


class Funnels(Told):
    """The newest version first."""

    versions: Sequence[FunnelTold]


@operations.add(
    "GET",
    "/v1/cadences/{key}/funnel",
    scope=Scope.READ,
    answers={200: Funnels},
    refusals=[Code.CADENCE_NOT_FOUND, Code.VERSION_NOT_FOUND],
)
async def show_funnel(call: Call, path: CadencePath, query: Versions) -> Answer:
    """Started, sent, replied, completed: of every version, or of one.

    A reply counts where it ends the passage, or comes within 7 days of its last step. While a cadence goes on after
    replies (`cancelOn: []`) they are not counted. The figures follow the log by some seconds.
    """
    async with call.reading() as connection:
        found = await funnels(connection, call.company_id, path.key, query.version)
    if found is None:
        raise Problem(Code.CADENCE_NOT_FOUND)
    if not found:
        raise Problem(Code.VERSION_NOT_FOUND)
    return Answer(Funnels(versions=[FunnelTold.model_validate(each) for each in found]))
