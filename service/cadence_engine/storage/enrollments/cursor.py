"""A place in a list as text, for those who come back for the next page; what it says is nobody's business but ours."""

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import UUID

import orjson

from cadence_engine.storage.enrollments.choose import Chosen, Place, way_through

READ: Mapping[str, Callable[[str], object]] = {"timestamptz": datetime.fromisoformat, "uuid": UUID, "text": str}


class BadCursor(Exception):  # noqa: N818  # it is an answer, not a fault
    """It was not given for this list: begin without one."""

    def __init__(self) -> None:
        super().__init__("this cursor was not given for a list chosen so: begin without one")


def write(chosen: Chosen, place: Place) -> str:
    """Letters, digits, - and _."""
    text = orjson.dumps([way_through(chosen).name, *map(str, place)])
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def read(chosen: Chosen, cursor: str) -> Place:
    """What `write` was given for the same choice. Raises BadCursor."""
    way = way_through(chosen)
    try:
        name, *texts = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if name != way.name:
            raise BadCursor
        return tuple(READ[type_](text) for type_, text in zip(way.types, texts, strict=True))
    except (binascii.Error, ValueError, TypeError) as error:
        raise BadCursor from error
