"""What the engine writes: the send that it asks for, and what happened to enrollments.

Every field is always there, null where there is nothing to say. More fields and types may come: ignore what you do not
know. `reason`, `trigger` and `category` are open sets.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, cast

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from cadence_contracts import topics
from cadence_contracts.dead_letters import InvalidRecord, Reason
from cadence_contracts.envelope import Envelope
from cadence_contracts.fields import ExternalId, OwnId, Time
from cadence_contracts.violations import sentence

Position = Annotated[int, Field(ge=0, description="Of the step within its version, from 0.")]
Version = Annotated[int, Field(ge=1, description="Of the cadence: a published version never changes.")]


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="ignore",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        json_schema_serialization_defaults_required=True,
    )


class Outbound(_Part):
    """What all that the engine writes has in common."""

    event_type: ClassVar[str]

    company_id: ExternalId
    contact_id: ExternalId
    enrollment_id: OwnId
    cadence_id: OwnId
    cadence_key: str = Field(description="The cadence's name within its company.")
    version: Version

    @property
    def key(self) -> str:
        """The record's Kafka key: one contact's events keep their order."""
        return self.contact_id


class Template(_Part):
    """An approved WhatsApp template and its filled-in variables."""

    id: str
    language: str = Field(description="As WhatsApp writes it, such as pt_BR.")
    category: str = Field(description="`marketing`, `utility`, ..: an open set.")
    variables: dict[str, str] = Field(description="Ready text by parameter name.")


class SendRequested(Outbound):
    """A step is to be sent. Drop it past `expiresAt`, and if the enrollment has been seen cancelled meanwhile."""

    event_type = topics.SEND_REQUESTED

    send_id: OwnId = Field(description="The event's id too.")
    to: str | None = Field(description="Phone, E.164. This or `conversationId` is always there.")
    conversation_id: ExternalId | None
    template: Template
    step_key: str
    step_index: Position
    due_at: Time
    requested_at: Time
    expires_at: Time = Field(description="Past it the request must be dropped.")


class EventCause(_Part):
    """The event that led to it."""

    source: str
    id: str


class ActorCause(_Part):
    """Who did it: an operator, or a part of the engine."""

    actor: str


class EnrollmentEvent(Outbound):
    """What every event on `cadence.events` says."""

    revision: int = Field(ge=1, description="1, 2, 3.. within the enrollment: order and gaps can be checked.")
    at: Time
    cause: EventCause | ActorCause


class EnrollmentStarted(EnrollmentEvent):
    """A contact began a cadence."""

    event_type = topics.ENROLLMENT_STARTED

    trigger: str = Field(description="`contact.created`, `inactivity`, `api`, ..: an open set.")
    lead_id: ExternalId | None = None
    conversation_id: ExternalId | None = None
    next_run_at: Time | None


class StepExecuted(EnrollmentEvent):
    """A step ran: its send is on `whatsapp.outbound`, or a `cadence.step.skipped` of this revision says why not."""

    event_type = topics.STEP_EXECUTED

    step_key: str
    step_index: Position
    send_id: OwnId
    due_at: Time
    next_run_at: Time | None = Field(description="When the next step is due; null after the last one.")


class StepSkipped(EnrollmentEvent):
    """A step is not sent, and will not be.

    `operator`: somebody chose so. `missed`: its time passed while the enrollment was paused.
    `erased`: its contact was deleted before its send was published. It stands in the place of that send, with its
    event id and with its revision, which is that of the step's `cadence.step.executed` too.
    """

    event_type = topics.STEP_SKIPPED

    step_key: str
    step_index: Position
    reason: str = Field(description="`erased`, `operator`, `missed`, ..: an open set.")
    note: str | None = Field(default=None, description="The operator's own words, if there were any.")
    next_run_at: Time | None = Field(default=None, description="When the step behind it is due, where that is known.")


class EnrollmentPaused(EnrollmentEvent):
    """An enrollment is held, by an operator or with its cadence; it keeps the rest of its wait."""

    event_type = topics.ENROLLMENT_PAUSED

    reason: str | None = Field(default=None, description="An open set.")
    actor: str | None = None
    next_run_at: Time | None = Field(default=None, description="Null while it is held.")
    resume_at: Time | None = Field(default=None, description="When it goes on by itself, if that was said.")


class EnrollmentResumed(EnrollmentEvent):
    """An enrollment goes on."""

    event_type = topics.ENROLLMENT_RESUMED

    reason: str | None = Field(default=None, description="An open set.")
    actor: str | None = None
    next_run_at: Time | None


class EnrollmentParked(EnrollmentEvent):
    """An enrollment cannot go on until something is mended."""

    event_type = topics.ENROLLMENT_PARKED

    step_index: Position | None = Field(default=None, description="The step that cannot be decided.")
    reason: str = Field(description="`missing_variable`, `unreachable`, `internal_error`, ..: an open set.")
    detail: str = Field(description="What to mend.")


class EnrollmentCancelled(EnrollmentEvent):
    """An enrollment ended before its last step. Requests of it that are not sent yet should be dropped."""

    event_type = topics.ENROLLMENT_CANCELLED

    step_index: Position | None = Field(default=None, description="The step that would have been next.")
    reason: str = Field(
        description="`replied`, `opted_out`, `contact_deleted`, `requested` (by an event), `operator`, "
        "`cadence_archived`, ..: an open set."
    )
    actor: str | None = None
    message_id: ExternalId | None = Field(default=None, description="The reply, if there was one.")
    note: str | None = Field(default=None, description="The operator's own words, if there were any.")


class EnrollmentCompleted(EnrollmentEvent):
    """An enrollment ran its last step."""

    event_type = topics.ENROLLMENT_COMPLETED

    tags: list[str] = Field(default=[], description="The tags that the contact got for it.")


AnyOutbound = (
    SendRequested
    | EnrollmentStarted
    | StepExecuted
    | StepSkipped
    | EnrollmentPaused
    | EnrollmentResumed
    | EnrollmentParked
    | EnrollmentCancelled
    | EnrollmentCompleted
)

MODELS: Final[Mapping[str, type[Outbound]]] = {
    model.event_type: model
    for model in (
        SendRequested,
        EnrollmentStarted,
        StepExecuted,
        StepSkipped,
        EnrollmentPaused,
        EnrollmentResumed,
        EnrollmentParked,
        EnrollmentCancelled,
        EnrollmentCompleted,
    )
}
_VALIDATE: Final = {name: TypeAdapter(model).validator.validate_python for name, model in MODELS.items()}


def parse(envelope: Envelope) -> AnyOutbound | None:
    """What the engine wrote, as its model; `None` for a type newer than this package: pass over it.

    `InvalidRecord` with `invalid_data` if the data is not what the contract promises.
    """
    validate = _VALIDATE.get(envelope.type)
    if validate is None:
        return None
    try:
        return cast("AnyOutbound", validate(envelope.data, by_alias=True, by_name=False))
    except ValidationError as wrong:
        raise InvalidRecord(Reason.INVALID_DATA, sentence(wrong)) from None
