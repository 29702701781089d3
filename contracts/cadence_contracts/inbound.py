"""What the engine reads: one frozen model per event type, and `parse`, which makes it from an envelope.

A field that is absent leaves what is known, `null` clears it: `changes()` keeps the two apart.
"""

import re
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, ClassVar, Final, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from cadence_contracts import topics
from cadence_contracts.dead_letters import InvalidRecord, Reason
from cadence_contracts.envelope import Envelope
from cadence_contracts.fields import (
    INT64_MAX,
    INT64_MIN,
    Amount,
    CadenceKey,
    Context,
    ContextInteger,
    ContextText,
    ExternalId,
    Locale,
    Name,
    Note,
    OwnId,
    Phone,
    Scalar,
    Tags,
    TimeZone,
    ToldTime,
    is_locale,
    is_phone,
    is_time,
    is_zone,
)
from cadence_contracts.violations import sentence

MAX_CONTEXT_FIELDS: Final = 100
MAX_CONTEXT_TEXT: Final = 1000
MAX_CONTEXT_NAME: Final = 100
_MAX_REPORTED: Final = 20
_IGNORED: Final = "_ignored"
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Inbound(BaseModel):
    """What every inbound event offers. On the wire the names are camelCase; unknown fields are no error."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="ignore",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )

    event_type: ClassVar[str]
    forgiving: ClassVar[frozenset[str]] = frozenset()
    """Optional fields (wire names) that are left out and reported whatever is wrong with them."""
    lenient: ClassVar[Mapping[str, Callable[[str], bool]]] = {}
    """The fields (wire names) that are left out and reported if their text is not readable."""

    company_id: ExternalId

    @property
    def ignored(self) -> tuple[str, ...]:
        """The wire names (never the values) of what could not be read; such a field counts as absent."""
        # No private attribute: pydantic would set it up in Python code, class by class, for every record.
        ignored: tuple[str, ...] = self.__dict__.get(_IGNORED, ())
        return ignored

    @property
    def key(self) -> str:
        """What the record's Kafka key should be, so that one contact's events keep their order."""
        return self.company_id

    def changes(self) -> dict[str, Any]:
        """What the producer stated, by Python name. Not in it: leave what is known. `None`: clear it."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class _OfContact(Inbound):
    contact_id: ExternalId

    @property
    def key(self) -> str:
        return self.contact_id


class _ContactCard(_OfContact):
    lenient = {"phone": is_phone, "locale": is_locale, "timeZone": is_zone, "createdAt": is_time}

    name: Name | None = None
    phone: Phone | None = None
    locale: Locale | None = None
    time_zone: TimeZone | None = None
    tags: Tags | None = None
    created_at: ToldTime | None = None


class ContactCreated(_ContactCard):
    """A contact is new: the engine knows it from now on, and enrolls it in the cadences with this trigger."""

    event_type = topics.CONTACT_CREATED


class ContactUpdated(_ContactCard):
    """A contact changed. Its parked enrollments are looked at again."""

    event_type = topics.CONTACT_UPDATED


class ContactDeleted(_OfContact):
    """A contact is to be erased: its enrollments are cancelled and its personal data blanked."""

    event_type = topics.CONTACT_DELETED


class ContactPreferencesChanged(_OfContact):
    """A contact refuses marketing (`stop`: cancels and refuses enrollments) or accepts it again (`resume`)."""

    event_type = topics.CONTACT_PREFERENCES_CHANGED

    marketing: Literal["stop", "resume"]


class MessageReceived(_OfContact):
    """A message between a contact and a company. An inbound one (the default) cancels the contact's enrollments."""

    event_type = topics.MESSAGE_RECEIVED
    # A reply must stop its cadence whatever is wrong with what it says besides.
    forgiving = frozenset({"conversationId", "messageId", "receivedAt"})
    lenient = {"receivedAt": is_time}

    conversation_id: ExternalId | None = None
    message_id: ExternalId | None = None
    direction: Literal["inbound", "outbound"] | None = Field(
        default=None, description="`inbound`, the contact wrote (also if absent), or `outbound`, the company wrote."
    )
    received_at: ToldTime | None = None

    @property
    def is_inbound(self) -> bool:
        """Whether the contact wrote it: so if the record does not say otherwise."""
        return self.direction != "outbound"


class LeadCreated(Inbound):
    """A lead is new on a board of a company. It is a trigger if it names a contact."""

    event_type = topics.LEAD_CREATED

    lead_id: ExternalId
    board_id: ExternalId | None = None
    contact_id: ExternalId | None = None

    @property
    def key(self) -> str:
        return self.contact_id or self.lead_id


class CompanyUpdated(Inbound):
    """What the engine should know of a company: its name, and the zone and locale for contacts without their own."""

    event_type = topics.COMPANY_UPDATED
    lenient = {"locale": is_locale, "timeZone": is_zone}

    name: Name | None = None
    time_zone: TimeZone | None = None
    locale: Locale | None = None


class CompanyDeleted(Inbound):
    """A company is to be erased: nothing of it is sent any more, every contact is erased as by `contact.deleted`."""

    event_type = topics.COMPANY_DELETED


class EnrollmentRequested(_OfContact):
    """A service wants a contact in a cadence, whatever its trigger. The cadence's other rules may refuse it.

    A lead or conversation that is not known yet is left out.
    """

    event_type = topics.ENROLLMENT_REQUESTED

    cadence_key: CadenceKey
    lead_id: ExternalId | None = None
    conversation_id: ExternalId | None = None
    context: Context | None = None


class EnrollmentCancelRequested(_OfContact):
    """A service wants a contact's enrollments ended: one by its id, those of one cadence, or all begun before this."""

    event_type = topics.ENROLLMENT_CANCEL_REQUESTED
    # As a reply: what it says besides must not keep it from stopping.
    forgiving = frozenset({"reason"})

    enrollment_id: OwnId | None = None
    cadence_key: CadenceKey | None = None
    reason: Note | None = None


class GenericTrigger(_OfContact):
    """An event of a further trigger topic: further scalar fields are the enrollment's context.

    Strings of at most 1,000 characters, booleans, and finite numbers within 64 bits; at most 100 of them, with names of
    1 to 100 characters. The engine ignores, and reports, others.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Scalar]

    event_type = "*"

    @property
    def context(self) -> dict[str, bool | int | float | str]:
        """What template variables and `where` may refer to, by wire name."""
        return dict(self.__pydantic_extra__)


class PurchaseCompleted(GenericTrigger):
    """A contact bought something. All scalars of its data are the enrollment's context."""

    event_type = topics.PURCHASE_COMPLETED

    purchase_id: ExternalId
    product: ContextText | None = None
    amount: ContextInteger | Amount | ContextText | None = Field(
        default=None, description='A number, or a decimal string such as "49.90".'
    )
    currency: ContextText | None = Field(default=None, description="ISO 4217, such as BRL.")

    @property
    def context(self) -> dict[str, bool | int | float | str]:
        named = {
            "purchaseId": self.purchase_id,
            "product": self.product,
            "amount": self.amount,
            "currency": self.currency,
        }
        return {name: value for name, value in named.items() if value is not None} | self.__pydantic_extra__


AnyInbound = (
    ContactCreated
    | ContactUpdated
    | ContactDeleted
    | ContactPreferencesChanged
    | MessageReceived
    | LeadCreated
    | PurchaseCompleted
    | CompanyUpdated
    | CompanyDeleted
    | EnrollmentRequested
    | EnrollmentCancelRequested
    | GenericTrigger
)

MODELS: Final[Mapping[str, type[Inbound]]] = {
    model.event_type: model
    for model in (
        ContactCreated,
        ContactUpdated,
        ContactDeleted,
        ContactPreferencesChanged,
        MessageReceived,
        LeadCreated,
        PurchaseCompleted,
        CompanyUpdated,
        CompanyDeleted,
        EnrollmentRequested,
        EnrollmentCancelRequested,
    )
}
_PARSED: Final[tuple[type[Inbound], ...]] = (*MODELS.values(), GenericTrigger)
_VALIDATE: Final = {model: TypeAdapter(model).validator.validate_python for model in _PARSED}
_NAMED: Final = {
    model: frozenset(str(field.alias) for field in model.model_fields.values())
    for model in (GenericTrigger, PurchaseCompleted)
}


def parse(envelope: Envelope, *, topic: str | None = None) -> AnyInbound:
    """The event's data as its model; `InvalidRecord` with `unknown_type` or `invalid_data` if it is none.

    `topic` is where the record was read: an inbound topic carries its own type only, and what any other topic carries
    is a `GenericTrigger`. Without it the type alone decides.
    """
    model = _model_of(envelope.type, topic)
    data, ignored = _without_unreadable(model, envelope.data)
    if issubclass(model, GenericTrigger):
        data, further = _without_useless(model, data)
        ignored += further
    try:
        event = _VALIDATE[model](data, by_alias=True, by_name=False)
    except ValidationError as wrong:
        forgiven = {str(error["loc"][0]) for error in wrong.errors(include_url=False, include_input=False)}
        if not forgiven <= model.forgiving:
            raise InvalidRecord(Reason.INVALID_DATA, sentence(wrong)) from None
        data = {name: value for name, value in data.items() if name not in forgiven}
        ignored += sorted(forgiven)
        event = _VALIDATE[model](data, by_alias=True, by_name=False)
    if ignored:
        event.__dict__[_IGNORED] = tuple(ignored)
    return cast("AnyInbound", event)


def _model_of(event_type: str, topic: str | None) -> type[Inbound]:
    if topic is not None and topic not in MODELS:
        return GenericTrigger
    model = MODELS.get(event_type)
    if model is None or topic not in (None, event_type):
        carried = ", ".join(MODELS) if topic is None else f"{topic} alone"
        raise InvalidRecord(Reason.UNKNOWN_TYPE, f"the event's type is not carried here; carried: {carried}")
    return model


def _without_unreadable(model: type[Inbound], data: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    ignored = []
    for name, is_readable in model.lenient.items():
        value = data.get(name)
        if type(value) is str and not is_readable(value):
            ignored.append(name)
    if ignored:
        data = {name: value for name, value in data.items() if name not in ignored}
    return data, ignored


def _without_useless(model: type[GenericTrigger], data: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    named = _NAMED[model]
    kept: dict[str, Any] = {}
    ignored: list[str] = []
    room = MAX_CONTEXT_FIELDS
    for name, value in data.items():
        if name in named:
            kept[name] = value
        elif value is None:
            continue
        elif room and 0 < len(name) <= MAX_CONTEXT_NAME and not _UNPRINTABLE.search(name) and _is_useful(value):
            kept[name] = value
            room -= 1
        elif len(ignored) < _MAX_REPORTED:
            ignored.append(_UNPRINTABLE.sub("?", name[:MAX_CONTEXT_NAME]))
    return kept, ignored


def _is_useful(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_CONTEXT_TEXT
    if isinstance(value, int):
        return INT64_MIN <= value <= INT64_MAX
    return isinstance(value, float) and isfinite(value)
