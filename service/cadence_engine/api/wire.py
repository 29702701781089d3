"""What the bodies of requests and answers have in common: camelCase names, UTC, checked texts."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from cadence_contracts.fields import ID_PATTERN, ExternalId
from cadence_engine.domain.enrollment import Enrollment


class Asked(BaseModel):
    """A body, a path or a query that somebody sends: nothing unknown in it."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )


class Told(BaseModel):
    """A body that we answer."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, validate_by_name=True, from_attributes=True)


Words = Annotated[
    str,
    Field(
        min_length=1,
        max_length=500,
        pattern=ID_PATTERN,
        description="An operator's own words: 1 to 500 characters, no control characters.",
    ),
]
Key = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", description="A cadence's key, unique within the company."),
]


class Why(Asked):
    """Why an operator does it; kept in the log beside who did."""

    reason: Words | None = None


class CadencePath(Asked):
    key: Key


class ContactPath(Asked):
    contact_id: ExternalId


Status = Literal["active", "paused", "parked", "completed", "cancelled"]

__all__ = ["Asked", "CadencePath", "ContactPath", "Enrollment", "ExternalId", "Key", "Status", "Told", "Why", "Words"]
