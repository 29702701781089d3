"""A call of each operation for a shell: pasted as it is, it asks for the variables that it lacks, and says the rest."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

SCHEMAS: Final = "#/components/schemas/"
JSON: Final = "application/json"
ROW: Final = {"application/x-ndjson": '{"contactId": "ana"}'}
"""Of a body that is no JSON document."""
VALUES: Final[Mapping[str, Any]] = {
    "cadenceKey": "welcome",
    "choice": {"cadenceKey": "welcome"},
    "companyId": "acme",
    "contactId": "ana",
    "contactIds": ["ana"],
    "event": "contact.created",
    "from": 1,
    "key": "welcome",
    "name": "Welcome",
    "reason": "a test",
    "stepKey": "hello",
    "steps": [{"key": "hello", "wait": "P1D", "template": {"id": "hello_1"}}],
}
"""By the names of fields that must be given; others take the first value that their schema allows."""


def sample(method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    """`operation` and `schemas` as the document has them. No braces stay in the address: curl has a use for them."""
    parts = ["curl"]
    if method != "GET":
        parts.append(f"-X {method}")
    if operation["security"]:
        parts.append('-H "Authorization: Bearer $CADENCE_KEY"')
    given = operation.get("parameters", [])
    headers = [each["name"] for each in given if each["in"] == "header" and each.get("required")]
    parts += [f'-H "{name}: {_variable(name)}"' for name in headers]
    parts += _body(operation.get("requestBody"), schemas)
    address = re.sub(r"{(\w+)}", lambda found: _variable(found[1]), path)
    return " ".join([*parts, f'"$CADENCE_API{address}"'])


def _variable(name: str) -> str:
    """`contactId` is CONTACT_ID: the shell says so where it is not set."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|-", "_", name)
    return f"${{{words.upper()}:?}}"


def _body(body: Mapping[str, Any] | None, schemas: Mapping[str, Any]) -> Iterator[str]:
    if body is None or not body.get("required"):
        return
    media_type, content = next(iter(body["content"].items()))
    data = ROW.get(media_type) or json.dumps(_value(content["schema"], schemas))
    yield f"-H 'Content-Type: {media_type}'"
    yield f"-d '{data}'"


def _value(schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str = "") -> Any:
    """The least that the schema asks for."""
    if name in VALUES:
        return VALUES[name]
    if "$ref" in schema:
        return _value(schemas[schema["$ref"].removeprefix(SCHEMAS)], schemas)
    if either := schema.get("anyOf", schema.get("oneOf")):
        return _value(either[0], schemas)
    if "enum" in schema:
        return schema["enum"][0]
    match schema["type"]:
        case "object":
            wanted = {each: schema["properties"][each] for each in schema.get("required", [])}
            return {each: _value(of, schemas, each) for each, of in wanted.items()}
        case "array":
            return [_value(schema["items"], schemas)]
        case "string":
            return ".."
    raise ValueError(f"a sample cannot show {name or schema}: give it a value in VALUES")
