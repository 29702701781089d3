"""A row of enroll-many: a line of NDJSON, or of CSV."""

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from cadence_contracts.fields import Context, ExternalId
from cadence_contracts.violations import sentence


class EnrollRow(BaseModel):
    """A contact to enroll. As CSV the values of `context` are columns of their own, such as `context.product`."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )

    contact_id: ExternalId
    lead_id: ExternalId | None = None
    conversation_id: ExternalId | None = None
    context: Context = {}


def read_row(content: Any) -> EnrollRow:
    """The row that parsed JSON says. Raises ValueError with a sentence: where, and what is allowed."""
    try:
        return EnrollRow.model_validate(content, by_alias=True, by_name=False)
    except ValidationError as wrong:
        raise ValueError(sentence(wrong, of="row")) from None
