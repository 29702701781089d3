"""Why, or why not: what happened to a contact or in an enrollment, what holds it, why a cadence did not take it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from cadence_engine.api.call import Call
from cadence_engine.api.enrollments import EnrollmentPath, EnrollmentTold
from cadence_engine.api.following import FurtherPage, following
from cadence_engine.api.halts import HaltTold
from cadence_engine.api.operation import Answer, Operations
from cadence_engine.api.problems import Code, Problem
from cadence_engine.api.wire import Asked, ContactPath, Told
from cadence_engine.domain.api_key import Scope
from cadence_engine.domain.gate import Held
from cadence_engine.domain.masking import masked
from cadence_engine.domain.outlook import Silence, SoFar
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.domain.waiting import WaitsFor
from cadence_engine.handlers import why
from cadence_engine.handlers.why import unread_about, why_contact, why_enrollment
from cadence_engine.storage.reports.timeline import Place, read_cursor, write_cursor

operations = Operations("Why", "Why did a contact get a message, or none?")

UNREAD = "No record that names it could be read; `GET /v1/dead-letters?contactId=..` has those that could not"


class History(Asked):
    cursor: FurtherPage = None
    limit: Annotated[int, Field(ge=1, le=1000, description="entries of history on a page")] = 100

    def place(self, call: Call, subject: str) -> Place | None:
        """Where the page begins, in the history of `subject`. Raises Problem."""
        with following(self.cursor):
            return None if self.cursor is None else read_cursor(call.company_id, subject, self.cursor)


class ContactTold(Told):
    """As other services have described it so far; the phone is masked."""

    contact_id: str
    name: str | None
    phone: str | None = Field(description="masked: enough to tell two apart")
    locale: str | None
    time_zone: str | None
    tags: Sequence[str]
    opted_out: bool
    last_message_at: datetime | None
    last_inbound_at: datetime | None
    erased: bool = Field(description="deleted, and nothing newer is known")


class PassageTold(Told):
    """An enrollment and what it waits for."""

    enrollment: EnrollmentTold
    step_key: str | None = Field(description="the step that it waits at; null behind the last")
    steps: int
    waits_for: WaitsFor | None = Field(
        description="null: it has ended; " + "; ".join(f"`{each}`: {each.meaning}" for each in WaitsFor)
    )
    cadence_status: CadenceStatus


class HappenedTold(Told):
    """An event of the log. `enrollmentId` null: an enrollment that was refused; `data.reason` says by which rule."""

    at: datetime
    type: str
    enrollment_id: UUID | None
    data: Mapping[str, Any]


class PastRefusalTold(Told):
    """The newest refusal of the contact by a cadence."""

    at: datetime
    trigger: str
    reason: str = Field(description="the rule, of the problem codes")
    fields: Sequence[str] = Field(description="where the trigger's data differed from the definition's `where`")


class OutlookTold(Told):
    """Why the contact is not in a cadence."""

    cadence_key: str
    version: int
    trigger: str
    active: bool
    made_at: datetime = Field(description="nothing of a trigger before is known, nor before `historySince`")
    so_far: SoFar = Field(
        description="`never_triggered`: no record came that is its trigger, or it is a dead letter: see "
        "`GET /v1/dead-letters?contactId=..`"
    )
    refused: PastRefusalTold | None
    now: str | None = Field(
        description="the rule that stands against it if the trigger came now, of the problem codes or "
        + " or ".join(f"`{each}`" for each in Silence)
        + "; null: nothing does"
    )
    inactive_from: datetime | None = Field(description="when the present silence is long enough, if that is asked for")


class GateTold(Told):
    """`held`: why no step of anybody runs now; null: steps run."""

    held: Held | None
    watermark: datetime = Field(description="every reply acknowledged by Kafka up to here is applied")


class UnreadTold(Told):
    """Dead letters of one topic and reason."""

    topic: str
    reason: str
    letters: int = Field(description="how many")


class WhyTold(Told):
    """The newest 50 passages and a page of history, each oldest first."""

    contact: ContactTold
    passages: Sequence[PassageTold]
    timeline: Sequence[HappenedTold]
    next: str | None = Field(description="`cursor` of the page of older history; null: there is none")
    history_since: datetime | None = Field(
        description="what happened before is not kept any more, refusals included; null: everything is kept"
    )
    outlooks: Sequence[OutlookTold] = Field(description="of each cadence that the contact is not in")
    gate: GateTold
    halts: Sequence[HaltTold] = Field(description="what holds every step of yours now")
    unread: Sequence[UnreadTold] = Field(
        description="records that name the contact and could not be read, so that nothing of them is above: "
        "`GET /v1/dead-letters?contactId=..` lists them"
    )


@operations.add(
    "GET",
    "/v1/contacts/{contactId}",
    scope=Scope.READ,
    answers={200: WhyTold},
    refusals=[Code.CONTACT_NOT_FOUND, Code.BAD_CURSOR],
)
async def why_about_contact(call: Call, path: ContactPath, query: History) -> Answer:
    """Where a contact stands, what happened so far and why, and why a cadence did not take them.

    A passage says what it waits for; `gate` and `halts` say whether anything holds all steps. A refused enrollment is
    in the history, with its rule; of a cadence whose trigger never came, `outlooks` says what would stand against it.
    A record that could not be read is not in the history: `unread` counts them.
    """
    before = query.place(call, path.contact_id)
    async with call.reading() as connection:
        found = await why_contact(
            connection, call.company_id, path.contact_id, call.engine.policy, before=before, rows=query.limit
        )
        unread = () if found else await unread_about(connection, call.company_id, path.contact_id)
    if found is None:
        raise Problem(Code.CONTACT_NOT_FOUND, UNREAD if unread else None)
    return Answer(_told(found, path.contact_id))


@operations.add(
    "GET",
    "/v1/enrollments/{enrollmentId}/why",
    scope=Scope.READ,
    answers={200: WhyTold},
    refusals=[Code.ENROLLMENT_NOT_FOUND, Code.BAD_CURSOR],
)
async def why_about_enrollment(call: Call, path: EnrollmentPath, query: History) -> Answer:
    """The same about one enrollment: what happened in it, and what it waits for."""
    subject = str(path.enrollment_id)
    before = query.place(call, subject)
    async with call.reading() as connection:
        found = await why_enrollment(
            connection, call.company_id, path.enrollment_id, call.engine.policy, before=before, rows=query.limit
        )
    if found is None:
        raise Problem(Code.ENROLLMENT_NOT_FOUND)
    return Answer(_told(found, subject))


def _told(found: why.Answer, subject: str) -> WhyTold:
    known, older = found.contact, found.timeline.older
    own = {name: getattr(known, name) for name in ContactTold.model_fields if name not in ("phone", "tags")}
    return WhyTold(
        contact=ContactTold(**own, phone=masked(known.phone), tags=found.tags),
        passages=[
            PassageTold(
                enrollment=EnrollmentTold.of(each.passage.enrollment),
                step_key=each.passage.step_key,
                steps=each.passage.steps,
                waits_for=each.waits_for,
                cadence_status=each.cadence.status,
            )
            for each in found.passages
        ],
        timeline=[HappenedTold.model_validate(each) for each in found.timeline.happened],
        next=None if older is None else write_cursor(found.contact.company_id, subject, older),
        history_since=found.timeline.kept_since,
        outlooks=[OutlookTold.model_validate(each) for each in found.outlooks],
        gate=GateTold(held=found.held, watermark=found.gate.watermark),
        halts=[HaltTold.of(each) for each in found.halts],
        unread=[UnreadTold.model_validate(each) for each in found.unread],
    )
