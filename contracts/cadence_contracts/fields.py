"""The field types that the events share: what a well-formed id, time, phone, locale or zone is."""

import re
import zoneinfo
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

INT64_MAX: Final = 2**63 - 1
INT64_MIN: Final = -(2**63)

ID_PATTERN: Final = r"^[^\u0000-\u001f\u007f-\u009f]*$"
_PHONE_PATTERN: Final = r"^\+[1-9][0-9]{6,14}$"

# RFC 5646 "langtag" and "privateuse". The 26 grandfathered tags are left out: each has a modern equivalent.
_LOCALE_PATTERN: Final = (
    r"^(?:(?:[A-Za-z]{2,3}(?:-[A-Za-z]{3}){0,3}|[A-Za-z]{4,8})(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?"
    r"(?:-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*(?:-[A-WY-Za-wy-z0-9](?:-[A-Za-z0-9]{2,8})+)*"
    r"(?:-[Xx](?:-[A-Za-z0-9]{1,8})+)?|[Xx](?:-[A-Za-z0-9]{1,8})+)$"
)
_MAX_LOCALE: Final = 100

_RFC3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_phone: Final = re.compile(_PHONE_PATTERN.rstrip("$"))
_locale: Final = re.compile(_LOCALE_PATTERN.rstrip("$"))
_TIME_RULE: Final = "must be an RFC 3339 time with its offset, such as 2026-03-01T12:00:00Z"


def parse_time(text: str) -> datetime:
    """An RFC 3339 time as UTC; `ValueError` for anything else. Digits beyond microseconds are dropped."""
    if not _RFC3339.fullmatch(text):
        raise ValueError(_TIME_RULE)
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(_TIME_RULE) from None


def format_time(moment: datetime) -> str:
    """An aware datetime as RFC 3339 in UTC with `Z`; `ValueError` for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("a time on the wire needs a zone: give an aware datetime")
    return moment.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def is_time(text: str) -> bool:
    """Whether it is an RFC 3339 time with its offset."""
    try:
        parse_time(text)
    except ValueError:
        return False
    return True


def is_phone(text: str) -> bool:
    """Whether it is an E.164 number with its plus sign."""
    return _phone.fullmatch(text) is not None


@lru_cache(maxsize=1024)
def is_locale(text: str) -> bool:
    """Whether it is a well-formed BCP 47 language tag."""
    return len(text) <= _MAX_LOCALE and _locale.fullmatch(text) is not None


def is_zone(text: str) -> bool:
    """Whether the IANA time zone database of this machine knows the name."""
    return text in _zones()


@cache
def _zones() -> frozenset[str]:
    names = zoneinfo.available_timezones() - {"Factory", "localtime"}
    if not names:
        raise RuntimeError("no time zone database found: install the tzdata package (of the system or of Python)")
    return frozenset(names)


def _known_zone(text: str) -> str:
    if not is_zone(text):
        raise ValueError("must be a name of the IANA time zone database, such as America/Sao_Paulo")
    return text


def _read_time(value: Any) -> Any:
    if isinstance(value, str):
        return parse_time(value)
    return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else value


ExternalId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        pattern=ID_PATTERN,
        description="Opaque id of another service: 1 to 200 characters, no control characters.",
    ),
]
OwnId = Annotated[UUID, Field(strict=False)]
Time = Annotated[AwareDatetime, BeforeValidator(_read_time)]
ToldTime = Annotated[
    Time,
    Field(description="RFC 3339 with its offset; for people: the engine goes by the record's own timestamp."),
]
"""A time that decides nothing: one that is not readable is ignored, and reported."""

Name = Annotated[
    str,
    Field(max_length=500, description="At most 500 characters. Empty means none, as null does."),
    AfterValidator(lambda text: text or None),
]
Phone = Annotated[
    str,
    Field(
        pattern=_PHONE_PATTERN,
        description="E.164, such as +5511999999999. The engine ignores, and reports, another format.",
    ),
]
Locale = Annotated[
    str,
    Field(
        max_length=_MAX_LOCALE,
        pattern=_LOCALE_PATTERN,
        description="BCP 47 language tag, such as pt-BR. The engine ignores, and reports, another format.",
    ),
]
TimeZone = Annotated[
    str,
    AfterValidator(_known_zone),
    Field(
        description="Name of the IANA time zone database, such as America/Sao_Paulo. "
        "The engine ignores, and reports, an unknown one."
    ),
]
Tag = Annotated[str, Field(min_length=1, max_length=200, pattern=ID_PATTERN)]
Tags = Annotated[
    list[Tag],
    Field(max_length=100, description="At most 100 tags of 1 to 200 characters, no control characters."),
]

ContextText = Annotated[str, Field(max_length=1000)]
ContextInteger = Annotated[int, Field(ge=INT64_MIN, le=INT64_MAX)]
ContextNumber = Annotated[float, Field(allow_inf_nan=False)]
Amount = Annotated[float, Field(allow_inf_nan=False, ge=INT64_MIN, lt=INT64_MAX + 1)]
Scalar = bool | ContextInteger | ContextNumber | ContextText


def _told(values: dict[str, bool | int | float | str | None]) -> dict[str, bool | int | float | str]:
    if any("\0" in text for pair in values.items() for text in pair if isinstance(text, str)):
        raise ValueError("must not hold NUL characters")
    return {name: value for name, value in values.items() if value is not None}


CadenceKey = Annotated[
    str, Field(min_length=1, max_length=100, pattern=ID_PATTERN, description="The cadence's key within the company.")
]
Note = Annotated[str, Field(max_length=500, description="Why, in words for people; at most 500 characters.")]
Context = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=100, pattern=ID_PATTERN)], Scalar | None],
    Field(
        max_length=100,
        description="For template variables: at most 100 scalars, strings of at most 1,000 characters.",
    ),
    AfterValidator(_told),
]
