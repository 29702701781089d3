"""A place in a list of enrollments as text."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from cadence_engine.storage import cursor as any_cursor
from cadence_engine.storage.enrollments.choose import Chosen, Place, way_through

KINDS: Mapping[str, type] = {"timestamptz": datetime, "uuid": UUID, "text": str}


def write(chosen: Chosen, place: Place) -> str:
    """For the next page of those that are chosen."""
    return any_cursor.write(chosen, place)


def read(chosen: Chosen, cursor: str) -> Place:
    """What `write` was given for the same choice. Raises `storage.cursor.BadCursor`."""
    return any_cursor.read(chosen, cursor, kinds(chosen))


def kinds(chosen: Chosen) -> tuple[type, ...]:
    """Of the values of a place among those that are chosen."""
    return tuple(KINDS[type_] for type_ in way_through(chosen).types)
