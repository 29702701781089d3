"""Whom a record names that cannot be understood: whose letter it is, and whom it goes with when a contact is erased."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pydantic_core import from_json

from cadence_contracts import InvalidRecord, read_record
from cadence_contracts.envelope import Headers
from cadence_contracts.fields import ID_PATTERN

IS_ID: Final = re.compile(ID_PATTERN)
LONGEST_ID: Final = 200


class Owner(NamedTuple):
    """The company and its contact, each None where the record does not say it beyond doubt."""

    company_id: str | None = None
    contact_id: str | None = None


NOBODY: Final = Owner()


def owner_of(value: bytes | None, headers: Headers) -> Owner:
    """By the event's data where there is an event; else by JSON in which one place only names a company."""
    try:
        return _named(read_record(value, headers).data)
    except InvalidRecord:
        named = {owner for place in _places(value) if (owner := _named(place)) is not NOBODY}
        return named.pop() if len(named) == 1 else NOBODY


def _places(value: bytes | None) -> list[Mapping[str, Any]]:
    """Where an event of either mode has its data."""
    try:
        content = from_json(value or b"", allow_inf_nan=False)
    except ValueError:
        return []
    # What is encoded may name another company than what is not.
    if not isinstance(content, dict) or "data_base64" in content:
        return []
    data = content.get("data")
    return [content, data] if isinstance(data, dict) else [content]


def _named(data: Mapping[str, Any]) -> Owner:
    company_id = _id(data.get("companyId"))
    return NOBODY if company_id is None else Owner(company_id, _id(data.get("contactId")))


def _id(value: Any) -> str | None:
    is_id = isinstance(value, str) and 0 < len(value) <= LONGEST_ID and IS_ID.fullmatch(value)
    return value if is_id else None
