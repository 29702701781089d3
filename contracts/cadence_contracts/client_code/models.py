"""A pydantic model for each schema of the document."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic.alias_generators import to_camel

from cadence_contracts.client_code.types import Types, doc, literal, python_name, referred

IMPORTS: Final = """
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from cadence_contracts.client.wire import Asked, Tagged, Told
"""


def code(document: Mapping[str, Any]) -> str:
    """The module, each class behind those that it names."""
    types = Types(document)
    tagged = set(_tagged(document))
    return IMPORTS + "".join(_schema(name, types, tagged) for name in _in_order(types.schemas))


def _schema(name: str, types: Types, tagged: set[str]) -> str:
    schema = types.schemas[name]
    if "enum" in schema:
        return f"\n\n{name} = {literal(schema)}\n"
    if schema["type"] != "object" or "properties" not in schema:
        return f"\n\n{name} = {types.of(schema, asked=True)}\n"
    asked = schema.get("additionalProperties") is False
    base = "Asked" if asked else "Tagged" if name in tagged else "Told"
    about = doc(schema["description"]) + "\n" if "description" in schema else ""
    required = schema.get("required", [])
    fields = (
        _field(wire, of, types, asked=asked, required=wire in required) for wire, of in schema["properties"].items()
    )
    return f"\n\nclass {name}({base}):\n{about}{''.join(fields)}"


def _field(wire: str, schema: Mapping[str, Any], types: Types, *, asked: bool, required: bool) -> str:
    name = python_name(wire)
    if to_camel(name.rstrip("_")) != wire:
        raise ValueError(f"{wire}: the field's name is no camelCase, which models take for granted")
    about = doc(schema["description"]) if "description" in schema else ""
    default = "" if required else f" = {_default(schema)}"
    return f"    {name}: {types.of(schema, asked=asked)}{default}\n{about}"


def _default(schema: Mapping[str, Any]) -> str:
    default = schema.get("default")
    if isinstance(default, dict) and "$ref" in schema:
        return f"Field(default_factory=lambda: {referred(schema)}.model_validate({default!r}))"
    if isinstance(default, dict | list):
        return f"Field(default_factory=lambda: {default!r})"
    if default is None and schema.get("type") == "object":
        return "Field(default_factory=dict)"
    return repr(default)


def _in_order(schemas: Mapping[str, Any]) -> Iterator[str]:
    done: dict[str, None] = {}

    def visit(name: str) -> None:
        if name not in done:
            for other in _named(schemas[name]):
                visit(other)
            done[name] = None

    for name in schemas:
        visit(name)
    return iter(done)


def _named(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield referred(node)
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from _named(each)


def _tagged(document: Mapping[str, Any]) -> Iterator[str]:
    """The models that are answered with an ETag."""
    for methods in document["paths"].values():
        for operation in methods.values():
            for response in operation["responses"].values():
                if "ETag" in response.get("headers", {}):
                    yield referred(response["content"]["application/json"]["schema"])
