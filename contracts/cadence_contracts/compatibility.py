"""Finds what a new version of a JSON Schema breaks for those who rely on the old one."""

from collections.abc import Iterator
from typing import Any, Final, Literal

Schema = dict[str, Any]
Direction = Literal["inbound", "outbound"]

_UPPER: Final = ("maxLength", "maxItems", "maximum", "exclusiveMaximum")
_LOWER: Final = ("minLength", "minItems", "minimum", "exclusiveMinimum")
_SAME: Final = ("pattern", "format")


def breaking_changes(old: Schema, new: Schema, direction: Direction) -> list[str]:
    """What breaks, a sentence each; empty if the change only grows the contract.

    Inbound: all that could be written must still be read, so `old` must lie within `new`. Outbound: all that is written
    must be what readers expect, so `new` must lie within `old`. A field that is gone breaks either way. Knows the
    keywords that our models make; an alternative (`anyOf`) must lie within one alternative of the other side.
    """
    narrow, wide = (old, new) if direction == "inbound" else (new, old)
    gone = (f"{path}: the field is gone" for path in _paths(old, old) if path not in set(_paths(new, new)))
    return sorted({*gone, *_beyond(narrow, wide, narrow, wide, "data")})


def _paths(schema: Schema, root: Schema, path: str = "data") -> Iterator[str]:
    schema = _resolved(schema, root)
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}"
        yield from _paths(field, root, f"{path}.{name}")
    if isinstance(items := schema.get("items"), dict):
        yield from _paths(items, root, f"{path}[]")
    for branch in schema.get("anyOf", ()):
        yield from _paths(branch, root, path)


def _beyond(narrow: Schema, wide: Schema, narrow_root: Schema, wide_root: Schema, path: str) -> Iterator[str]:
    """Where something that `narrow` allows is not allowed by `wide`."""
    branches = _branches(narrow, narrow_root)
    allowed = _branches(wide, wide_root)
    for branch in branches:
        attempts = [list(_branch_beyond(branch, other, narrow_root, wide_root, path)) for other in allowed]
        if all(attempts):
            yield from min(attempts, key=len)


def _branch_beyond(narrow: Schema, wide: Schema, narrow_root: Schema, wide_root: Schema, path: str) -> Iterator[str]:
    if not _types(narrow) <= _types(wide):
        yield f"{path}: type {_told(_types(narrow))} is not within {_told(_types(wide))}"
        return
    if (values := _values(wide)) is not None and not (_values(narrow) or {None}) <= values:
        yield f"{path}: values are not within {_told(values)}"
    for keyword in (*_UPPER, *_LOWER, *_SAME):
        if not _is_within(keyword, narrow.get(keyword), wide.get(keyword)):
            yield f"{path}: {keyword} differs ({narrow.get(keyword)} is not within {wide.get(keyword)})"
    for name in sorted(set(wide.get("required", ())) - set(narrow.get("required", ()))):
        yield f"{path}.{name}: is required on one side only"
    for name, field in narrow.get("properties", {}).items():
        if name in wide.get("properties", {}):
            yield from _beyond(field, wide["properties"][name], narrow_root, wide_root, f"{path}.{name}")
    for keyword, step in (("items", "[]"), ("additionalProperties", ".*")):
        inner, outer = narrow.get(keyword, True), wide.get(keyword, True)
        if outer is False and inner is not False:
            yield f"{path}{step}: is no longer allowed on one side"
        elif isinstance(outer, dict) and inner is not False:
            yield from _beyond(inner if isinstance(inner, dict) else {}, outer, narrow_root, wide_root, path + step)


def _resolved(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        schema = target | {name: value for name, value in schema.items() if name != "$ref"}
    return schema


def _branches(schema: Schema, root: Schema) -> list[Schema]:
    schema = _resolved(schema, root)
    if "anyOf" not in schema:
        return [schema]
    return [branch for part in schema["anyOf"] for branch in _branches(part, root)]


def _types(schema: Schema) -> frozenset[str]:
    every = {"string", "number", "integer", "boolean", "object", "array", "null"}
    stated = schema.get("type", every)
    types = {stated} if isinstance(stated, str) else set(stated)
    return frozenset(types | {"integer"} if "number" in types else types)


def _values(schema: Schema) -> frozenset[Any] | None:
    if "const" in schema:
        return frozenset((schema["const"],))
    return frozenset(schema["enum"]) if "enum" in schema else None


def _is_within(keyword: str, narrow: Any, wide: Any) -> bool:
    if wide is None or narrow == wide:
        return True
    if narrow is None or keyword in _SAME:
        return False
    return bool(narrow <= wide) if keyword in _UPPER else bool(narrow >= wide)


def _told(values: frozenset[Any]) -> str:
    return ", ".join(sorted(str(value) for value in values))
