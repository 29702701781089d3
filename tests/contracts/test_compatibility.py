"""Which changes of a schema break those who rely on it."""

from copy import deepcopy
from typing import Any

import pytest

from cadence_contracts.compatibility import Direction, breaking_changes

OLD: dict[str, Any] = {
    "type": "object",
    "$defs": {"Part": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}},
    "properties": {
        "id": {"type": "string", "maxLength": 200},
        "choice": {"enum": ["stop", "resume"], "type": "string"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "count": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "part": {"$ref": "#/$defs/Part"},
    },
    "required": ["id", "choice"],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """`OLD` with another value at a dotted path; `None` takes it away."""
    schema = deepcopy(OLD)
    *way, last = path.split(".")
    place = schema
    for name in way:
        place = place[name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return schema


BREAKS_BOTH = [
    changed("properties.note", None),
    changed("properties.count.type", "string"),
    changed("properties.part", {"type": "string"}),
    changed("$defs.Part.properties", {}),
]
BREAKS_INBOUND = [
    changed("required", ["id", "choice", "note"]),
    changed("properties.choice.enum", ["stop"]),
    changed("properties.id.maxLength", 100),
    changed("properties.id.minLength", 1),
    changed("properties.id.pattern", "^a"),
    changed("properties.note", {"type": "string"}),
    changed("properties.tags.items", {"type": "string", "maxLength": 5}),
    changed("$defs.Part.required", ["id", "more"]),
    changed("additionalProperties", False),
]
BREAKS_OUTBOUND = [
    changed("required", ["id"]),
    changed("properties.choice.enum", ["stop", "resume", "pause"]),
    changed("properties.choice.enum", None),
    changed("properties.id.maxLength", 300),
    changed("properties.id.maxLength", None),
    changed("properties.count.type", "number"),
    changed("properties.count", {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
    changed("properties.tags.items", {"type": "integer"}),
    changed("$defs.Part.required", []),
]
GROWS = [
    OLD,
    changed("properties.more", {"type": "string"}),
    changed("properties.id.description", "another text"),
    changed("properties.part", {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}),
]


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
@pytest.mark.parametrize("new", GROWS)
def test_growing_breaks_nobody(new: dict[str, Any], direction: Direction) -> None:
    assert breaking_changes(OLD, new, direction) == []


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
@pytest.mark.parametrize("new", BREAKS_BOTH)
def test_what_breaks_either_way(new: dict[str, Any], direction: Direction) -> None:
    assert breaking_changes(OLD, new, direction)


@pytest.mark.parametrize("new", BREAKS_INBOUND)
def test_asking_more_breaks_those_who_write(new: dict[str, Any]) -> None:
    assert breaking_changes(OLD, new, "inbound")


@pytest.mark.parametrize("new", BREAKS_OUTBOUND)
def test_promising_less_breaks_those_who_read(new: dict[str, Any]) -> None:
    assert breaking_changes(OLD, new, "outbound")


def test_what_widens_inbound_is_what_narrows_outbound() -> None:
    wider = changed("properties.id.maxLength", 300)

    assert breaking_changes(OLD, wider, "inbound") == []
    assert breaking_changes(wider, OLD, "outbound") == []


def test_a_change_is_told_with_its_place() -> None:
    assert breaking_changes(OLD, changed("properties.note", None), "inbound") == ["data.note: the field is gone"]
    (told,) = breaking_changes(OLD, changed("required", ["id", "choice", "count"]), "inbound")
    assert told == "data.count: is required on one side only"
