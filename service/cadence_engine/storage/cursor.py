"""A place in a list as text, for those who come back for the next page; what it says is nobody's business but ours.

It holds a digest of what the list was chosen by: with another choice it would be a place in no list at all.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from cadence_engine.storage.digest import digest

DIGITS = 12
READ: Mapping[type, Callable[[str], object]] = {datetime: datetime.fromisoformat, UUID: UUID, str: str, int: int}


class BadCursor(Exception):  # noqa: N818  # it is an answer, not a fault
    """It was not given for what is asked for now: ask as before, or begin without one."""

    def __init__(self) -> None:
        super().__init__("this cursor was not given for what is asked for now: ask as before, or begin without one")


def write(choice: object, place: Iterable[object]) -> str:
    """Letters, digits, - and _, as any address takes them. `choice`: what `digest` takes; `place`: of kinds in READ."""
    text = orjson.dumps([digest(choice)[:DIGITS], *map(str, place)])
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def read(choice: object, cursor: str, kinds: Sequence[type]) -> tuple[Any, ...]:
    """The place that `write` was given with the same choice, its values of these kinds. Raises BadCursor."""
    try:
        given_for, *texts = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if given_for != digest(choice)[:DIGITS]:
            raise BadCursor
        return tuple(READ[kind](str(text)) for kind, text in zip(kinds, texts, strict=True))
    except (binascii.Error, ValueError, TypeError) as error:
        raise BadCursor from error
