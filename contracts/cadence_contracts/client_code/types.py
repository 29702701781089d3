"""Python types of JSON Schemas, as text."""

import keyword
import re
import textwrap
from collections.abc import Mapping
from typing import Any, Final

REFERENCE: Final = "#/components/schemas/"
TEXTS: Final = {"uuid": "UUID", "duration": "str", None: "str"}
PLAIN: Final = {"integer": "int", "number": "float", "boolean": "bool", "null": "None"}


class Types:
    """Types by the schemas of one document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.schemas: Mapping[str, Any] = document["components"]["schemas"]
        self._enums = {tuple(schema["enum"]): name for name, schema in self.schemas.items() if "enum" in schema}

    def of(self, schema: Mapping[str, Any], *, asked: bool) -> str:
        """`asked`: as it is sent. In answers times may have any form, and enumerations are open: they may grow."""
        if "$ref" in schema:
            name = referred(schema)
            return f"{name} | str" if "enum" in self.schemas[name] and not asked else name
        if either := schema.get("anyOf", schema.get("oneOf")):
            return " | ".join(dict.fromkeys(self.of(each, asked=asked) for each in either))
        if "enum" in schema:
            name = self._enums.get(tuple(schema["enum"])) or literal(schema)
            return name if asked else f"{name} | str"
        match schema.get("type"):
            case None if "properties" not in schema:
                return "Any"
            case "string" if schema.get("format") == "date-time":
                return "AwareDatetime" if asked else "datetime"
            case "string":
                return TEXTS[schema.get("format")]
            case "array" if "prefixItems" in schema:
                return f"tuple[{', '.join(self.of(each, asked=asked) for each in schema['prefixItems'])}]"
            case "array":
                return f"list[{self.of(schema['items'], asked=asked)}]"
            case "object" if "properties" not in schema:
                return f"dict[str, {self._values(schema, asked=asked)}]"
            case kind if kind in PLAIN:
                return PLAIN[kind]
        raise ValueError(f"no type for the schema {schema}; give it a name of its own, or teach Types")

    def _values(self, schema: Mapping[str, Any], *, asked: bool) -> str:
        patterns = list(schema.get("patternProperties", {}).values())
        values = patterns[0] if len(patterns) == 1 else schema.get("additionalProperties", True)
        return "Any" if values is True else self.of(values, asked=asked)


def referred(schema: Mapping[str, Any]) -> str:
    """The name of the schema that a reference leads to."""
    name = str(schema["$ref"]).removeprefix(REFERENCE)
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name):
        raise ValueError(f"{name} is no name for a class; two models of the engine's API may have the same")
    return name


def literal(schema: Mapping[str, Any]) -> str:
    return f"Literal[{', '.join(map(repr, schema['enum']))}]"


def python_name(wire: str) -> str:
    """`cadenceKey` and `If-Match` as Python writes them; keywords with an underscore behind."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", wire.replace("-", "_")).lower()
    return f"{name}_" if keyword.iskeyword(name) else name


def doc(text: str, indent: str = "    ") -> str:
    """A docstring of a description."""
    lines = [
        textwrap.fill(part, 114 - len(indent), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
        for part in text.strip().replace("\\", "\\\\").replace('"""', "'''").split("\n\n")
    ]
    body = f"\n\n{indent}".join(lines)
    end = f"\n{indent}" if "\n" in body or len(body) > 110 else ""
    return f'{indent}"""{body}{end}"""\n'
