"""The keys of a definition as they are written, each value already checked by itself."""

import re
from collections.abc import Callable
from datetime import timedelta
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from cadence_contracts.fields import ID_PATTERN
from cadence_engine.definitions.durations import BadDuration, parse_elapsed, parse_wait
from cadence_engine.domain.cadence import API, INACTIVITY, Lookup, Scalar, Source, Template, Wait
from cadence_engine.domain.facts import Facts
from cadence_engine.domain.templates import FIELDS, MAX_VALUE, fill

MAX_STEPS = 100
MAX_VARIABLES = 50
MAX_TAGS = 100
MAX_WHERE = 20
MAX_SCALARS = 100
MAX_DAYS = 730
MAX_GRACE = timedelta(hours=24)
MAX_SEND_WITHIN = timedelta(hours=72)

# Of the alternatives for a value; pydantic puts the name in an error's place, and no key holds a control character.
MAPPING, TEXT, LOOKUP, LITERAL = "\0mapping", "\0text", "\0lookup", "\0literal"

T = TypeVar("T")


def broken(rule: str) -> PydanticCustomError:
    """An error with our own words, whatever braces they hold."""
    return PydanticCustomError("rule", "{rule}", {"rule": rule})


def close_to(word: str, allowed: list[str]) -> str:
    """A hint at what was meant, or nothing."""
    close = get_close_matches(word, allowed, n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def _matching(pattern: str, rule: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise broken(f"`{text[:60]}` is not allowed: {rule}")
        return text

    return AfterValidator(check)


def one_of(*allowed: str, more: str = "") -> AfterValidator:
    """One of a few words."""

    def check(word: str) -> str:
        if word not in allowed:
            raise broken(f"`{word[:60]}` is none of {', '.join(allowed)}{more}{close_to(word, list(allowed))}")
        return word

    return AfterValidator(check)


def _duration(parse: Callable[[str], T]) -> Any:
    def read(text: object) -> T:
        if not isinstance(text, str):
            raise broken("must be an ISO 8601 duration, such as P3D or PT90M")
        try:
            return parse(text)
        except BadDuration as bad:
            raise broken(str(bad)) from bad

    return BeforeValidator(read)


def _wait(text: str) -> Wait:
    wait = parse_wait(text)
    if wait.days + wait.exact / timedelta(days=1) > MAX_DAYS:
        raise BadDuration(f"`{text}` is longer than {MAX_DAYS} days, the most that can be waited")
    return wait


def _span(text: str) -> Wait:
    wait = _wait(text)
    if wait == Wait():
        raise BadDuration(f"`{text}` is no time at all: it must be longer than nothing")
    return wait


def _grace(text: str) -> timedelta:
    grace = parse_elapsed(text)
    if grace > MAX_GRACE:
        raise BadDuration(f"`{text}` is too long: at most PT24H")
    return grace


def _send_within(text: str) -> timedelta:
    within = parse_elapsed(text)
    if not timedelta(seconds=1) <= within <= MAX_SEND_WITHIN:
        raise BadDuration(f"`{text}` is out of bounds: from PT1S to PT72H")
    return within


def _sendable(text: str) -> str:
    probe = Template("", "", {"probe": Lookup(Source.CONTEXT, "probe", fallback="")})
    if not text or fill(probe, Facts(""), {"probe": text})["probe"] != text:
        raise broken(
            f"must be 1 to {MAX_VALUE} characters without line breaks, tabs, four spaces in a row or spaces around: "
            "WhatsApp refuses those"
        )
    return text


def _looked_up(text: str) -> str:
    source, _, name = text.partition(".")
    if source == Source.CONTEXT and 0 < len(name) <= 100:
        return text
    known = [f"{owner}.{field}" for owner, fields in FIELDS.items() for field in fields]
    if text not in known:
        raise broken(
            f"`{text[:60]}` is not known{close_to(text, known)} "
            f"(allowed: {', '.join(known)}, and context.NAME with any NAME of the trigger's data)"
        )
    return text


Text = Annotated[
    str, Field(min_length=1, max_length=200), _matching(ID_PATTERN, "no line breaks or control characters")
]
Key = Annotated[
    str,
    _matching(
        r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}",
        "a key is letters, digits, `.`, `_` and `-`, begins with a letter or a digit, and has at most 100 of them",
    ),
]
EventName = Annotated[
    str, _matching(r"[A-Za-z][A-Za-z0-9._-]{0,199}", "an event's type is such as contact.created, inactivity or api")
]
VariableName = Annotated[
    str, _matching(r"[A-Za-z0-9_]{1,100}", "a variable's name is 1 to 100 letters, digits and underscores")
]
Language = Annotated[
    str,
    _matching(
        r"[a-z]{2,3}(_[A-Z][a-z]{3})?(_[A-Z]{2})?",
        "a language is written as WhatsApp does, with an underscore: pt_BR, en_US, en",
    ),
]
Sendable = Annotated[str, AfterValidator(_sendable)]
AnyWait = Annotated[Wait, _duration(_wait)]
Span = Annotated[Wait, _duration(_span)]
Grace = Annotated[timedelta, _duration(_grace)]
SendWithin = Annotated[timedelta, _duration(_send_within)]


class Shape(BaseModel):
    """A mapping whose keys are camelCase and all known."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", alias_generator=to_camel)


def _scalars(value: object) -> object:
    values = value if isinstance(value, list) else [value]
    if not 0 < len(values) <= MAX_SCALARS:
        raise broken(f"must be a value or a list of 1 to {MAX_SCALARS} values")
    if not all(item is None or isinstance(item, str | int | float) for item in values):
        raise broken("must be text, a number, true, false or null, or a list of such")
    return tuple(values)


class TriggerShape(Shape):
    event: EventName = Field(description="{event: contact.created}, {event: inactivity} or {event: api}")
    where: Annotated[
        dict[Text, Annotated[tuple[Scalar, ...], BeforeValidator(_scalars)]] | None, Field(max_length=MAX_WHERE)
    ] = None
    after: Span | None = None

    @field_validator("where")
    @classmethod
    def _of_an_event_with_data(cls, where: T, info: ValidationInfo) -> T:
        event = info.data.get("event")
        if where and event in (INACTIVITY, API):
            raise broken(f"the trigger {event} has no data to compare: remove `where`")
        return where

    @field_validator("after")
    @classmethod
    def _of_inactivity(cls, after: T, info: ValidationInfo) -> T:
        event = info.data.get("event")
        if after is not None and event not in (INACTIVITY, None):
            raise broken(f"only the trigger inactivity has `after`, {event} has not: remove it, or let the step wait")
        return after


class AfterShape(Shape):
    after: Span = Field(description="how long after the last passage ended, such as P90D")


Rule = Annotated[str, one_of("never", "always", "newActivity", more=", {after: P90D}")]
ReentryShape = Annotated[
    Annotated[AfterShape, Tag(MAPPING)] | Annotated[Rule, Tag(TEXT)],
    Discriminator(lambda value: MAPPING if isinstance(value, dict) else TEXT),
]


class LookupShape(Shape):
    source: Annotated[str, AfterValidator(_looked_up)] = Field(alias="from", description="such as contact.name")
    fallback: Sendable | None = Field(None, alias="else")


class LiteralShape(Shape):
    value: Sendable


def _variable_kind(value: object) -> str:
    if not isinstance(value, dict):
        return TEXT
    return LITERAL if "value" in value and "from" not in value else LOOKUP


VariableShape = Annotated[
    Annotated[LookupShape, Tag(LOOKUP)] | Annotated[LiteralShape, Tag(LITERAL)] | Annotated[Sendable, Tag(TEXT)],
    Discriminator(_variable_kind),
]


class TemplateShape(Shape):
    id: Text = Field(description="the template's name at WhatsApp")
    category: Annotated[str, one_of("marketing", "utility", "authentication")] = "marketing"
    variables: dict[VariableName, VariableShape] = Field({}, max_length=MAX_VARIABLES)


class StepShape(Shape):
    key: Key = Field(description="the step's identity, such as day-1")
    wait: AnyWait | None = None
    offset_days: int | None = Field(None, ge=0, le=MAX_DAYS)
    template: TemplateShape = Field(description="such as {id: welcome_1}")


class CompletionShape(Shape):
    add_tags: list[Text] = Field([], max_length=MAX_TAGS)


class CadenceShape(Shape):
    company: Text | None = None
    key: Key = Field(description="the cadence's identity within the company, such as reactivation")
    name: Text = Field(description="what people call it")
    trigger: TriggerShape = Field(description="what enrolls, such as {event: contact.created}")
    reentry: ReentryShape | None = None
    cancel_on: list[Annotated[str, one_of("reply")]] = Field(["reply"], max_length=1)
    reply_grace: Grace = timedelta()
    send_within: SendWithin = timedelta(hours=1)
    language: Language | None = None
    steps: list[StepShape] = Field(min_length=1, max_length=MAX_STEPS, description="at least one step")
    on_completion: CompletionShape = CompletionShape()
