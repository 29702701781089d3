"""Enrollments: enroll, list, look at one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, assert_never
from uuid import UUID

from pydantic import AfterValidator, Field

from cadence_contracts.fields import ContextInteger, ContextNumber, ContextText, ExternalId
from cadence_contracts.inbound import MAX_CONTEXT_FIELDS, MAX_CONTEXT_NAME
from cadence_engine.api.call import Call
from cadence_engine.api.choosing import Choice
from cadence_engine.api.following import FurtherPage, NextPage, following
from cadence_engine.api.operation import Answer, Operations
from cadence_engine.api.problems import Code, Problem
from cadence_engine.api.wire import Asked, Key, Status, Told
from cadence_engine.definitions.durations import write_elapsed
from cadence_engine.domain import enroll as rule
from cadence_engine.domain.api_key import Scope
from cadence_engine.domain.enroll import AlreadyEnrolled, Enrolled, Refusal
from cadence_engine.domain.enrollment import Enrollment, ParkReason, PausedBy
from cadence_engine.handlers.enroll_asked import Candidate, UnknownCadence, enroll_asked
from cadence_engine.storage.enrollments import choose
from cadence_engine.storage.reports import enrollments as reports
from cadence_engine.storage.reports.contacts import Passage

operations = Operations("Enrollments", "One contact's passage through one version of a cadence.")


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds a control character")
    return text


Printable = AfterValidator(_printable)
ContextName = Annotated[str, Field(min_length=1, max_length=MAX_CONTEXT_NAME), Printable]
ContextValue = bool | ContextInteger | ContextNumber | Annotated[ContextText, Printable]


class EnrollmentPath(Asked):
    enrollment_id: UUID


class EnrollAsked(Asked):
    """Who is to enter which cadence; lead and conversation go along with every send."""

    cadence_key: Key
    contact_id: ExternalId
    lead_id: ExternalId | None = None
    conversation_id: ExternalId | None = None
    context: Annotated[dict[ContextName, ContextValue], Field(max_length=MAX_CONTEXT_FIELDS)] = Field(
        default_factory=dict, description="values for template variables (`from: context.NAME`)"
    )


class EnrollmentTold(Told):
    """As it is now. Which fields are set follows from `status`."""

    enrollment_id: UUID
    cadence_key: str
    cadence_id: UUID
    version: int
    contact_id: str
    lead_id: str | None
    conversation_id: str | None
    status: Status
    step_index: int = Field(description="of the next step, from 0")
    next_run_at: datetime | None = Field(description="active: when it runs; parked: when it was due")
    revision: int = Field(description="moves with every change, from 1")
    trigger: str = Field(description="what enrolled: `api`, `inactivity`, or a record's type")
    triggered_at: datetime
    started_at: datetime
    ended_at: datetime | None
    cancel_reason: str | None
    wait_left: str | None = Field(description="paused: what is left of the wait, as ISO 8601")
    paused_by: PausedBy | None
    resume_at: datetime | None = Field(description="paused: when it goes on by itself")
    park_reason: ParkReason | None
    park_detail: str | None = Field(description="parked: what to mend")
    context: Mapping[str, ContextValue | None]

    @classmethod
    def of(cls, enrollment: Enrollment) -> "EnrollmentTold":
        known = enrollment._asdict()
        wait_left = enrollment.wait_left
        return cls(
            **{name: known[name] for name in cls.model_fields if name not in ("wait_left", "status")},
            status=enrollment.status.value,
            wait_left=None if wait_left is None else write_elapsed(wait_left),
        )


class EnrollTold(Told):
    """`created` false: the contact was in that cadence already, and nothing changed."""

    enrollment_id: UUID
    created: bool


class PlacedTold(EnrollmentTold):
    """An enrollment and its next step."""

    step_key: str | None = Field(description="the next step's; null behind the last")
    steps: int = Field(description="how many there are")

    @classmethod
    def at(cls, passage: Passage) -> "PlacedTold":
        told = EnrollmentTold.of(passage.enrollment)
        return cls(**dict(told), step_key=passage.step_key, steps=passage.steps)


class EnrollmentList(Told):
    """A page may be short, or empty, though there is a next one."""

    enrollments: Sequence[PlacedTold]
    next: NextPage


class Listing(Choice):
    limit: Annotated[int, Field(ge=1, le=1000, description="at most so many")] = 50
    cursor: FurtherPage = None


class Count(Told):
    count: int


REFUSED_BY = {refusal: Code(refusal.value) for refusal in Refusal}


@operations.add(
    "POST",
    "/v1/enrollments",
    scope=Scope.OPERATE,
    answers={201: EnrollTold, 200: EnrollTold},
    refusals=list(REFUSED_BY.values()),
    answer_headers={"Location": "where the enrollment is"},
)
async def enroll_contact(call: Call, body: EnrollAsked) -> Answer:
    """Put a contact in a cadence.

    201: enrolled. 200: the contact is in it already and stays where they are, so that asking again is harmless.
    A refusal says its rule as `code`; it is also in the contact's timeline.
    """

    candidate = Candidate(body.contact_id, body.lead_id, body.conversation_id, body.context)
    outcome = await call.run(
        lambda unit: enroll_asked(
            unit, call.company_id, body.cadence_key, candidate, call.engine.policy, actor=call.actor
        )
    )
    match outcome:
        case UnknownCadence():
            raise Problem(Code.CADENCE_NOT_FOUND)
        case Enrolled(decision):
            return _enrolled(decision.enrollment.enrollment_id, created=True)
        case AlreadyEnrolled(enrollment_id):
            return _enrolled(enrollment_id, created=False)
        case rule.Refused(refusal):
            raise Problem(REFUSED_BY[refusal], refusal.meaning)
    assert_never(outcome)


def _enrolled(enrollment_id: UUID, *, created: bool) -> Answer:
    return Answer(
        EnrollTold(enrollment_id=enrollment_id, created=created),
        status=201 if created else 200,
        headers={"Location": f"/v1/enrollments/{enrollment_id}"},
    )


@operations.add(
    "GET",
    "/v1/enrollments",
    scope=Scope.READ,
    answers={200: EnrollmentList},
    refusals=[Code.CADENCE_NOT_FOUND, Code.BAD_CURSOR],
)
async def list_enrollments(call: Call, query: Listing) -> Answer:
    """Those that are chosen, or all, page by page.

    In the order in which they are due, where all are active; by contact, where all are live; else as they began.
    """
    with following(query.cursor):
        async with call.reading() as connection:
            chosen = await query.resolve(connection, call.company_id)
            page = await reports.listed(connection, chosen, rows=query.limit, after=query.cursor)
    return Answer(EnrollmentList(enrollments=[PlacedTold.at(each) for each in page.passages], next=page.next_cursor))


@operations.add(
    "GET",
    "/v1/enrollment-count",
    scope=Scope.READ,
    answers={200: Count},
    refusals=[Code.CADENCE_NOT_FOUND],
)
async def count_enrollments(call: Call, query: Choice) -> Answer:
    """How many are chosen. It looks at each of them: give a cadence or a contact where there are very many."""
    async with call.reading() as connection:
        chosen = await query.resolve(connection, call.company_id)
        return Answer(Count(count=await choose.count(connection, chosen)))


@operations.add(
    "GET",
    "/v1/enrollments/{enrollmentId}",
    scope=Scope.READ,
    answers={200: PlacedTold},
    refusals=[Code.ENROLLMENT_NOT_FOUND],
)
async def show_enrollment(call: Call, path: EnrollmentPath) -> Answer:
    """One enrollment as it is now."""
    async with call.reading() as connection:
        found = await reports.one(connection, call.company_id, path.enrollment_id)
    if found is None:
        raise Problem(Code.ENROLLMENT_NOT_FOUND)
    return Answer(PlacedTold.at(found))
