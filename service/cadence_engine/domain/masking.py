"""What may be shown where personal data may not: a phone's ends, and names of fields that look like such."""

import re
from collections.abc import Mapping

from cadence_engine.domain.cadence import Scalar

PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,59}")
MANY_DIGITS = re.compile(r"[0-9]{5}")


def masked(phone: str | None) -> str | None:
    """Enough of a phone number to tell two apart: `+55…1234`."""
    return None if phone is None else f"{phone[:3]}…{phone[-4:]}"


def without_phones(context: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The values of an enrollment's context, phones among them masked."""
    return {
        name: masked(value) or "" if isinstance(value, str) and PHONE.fullmatch(value) else value
        for name, value in context.items()
    }


def field_name(name: str) -> str:
    """A field's name as a producer wrote it, unless it could be somebody's phone or name itself."""
    return name if FIELD_NAME.fullmatch(name) and not MANY_DIGITS.search(name) else f"‹name of {len(name)} characters›"
