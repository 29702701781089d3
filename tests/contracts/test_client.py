"""The client is what `openapi.yaml` says, to the last operation and field, and its generator leaves nothing out."""

import inspect
import re
import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from cadence_contracts import client_code
from cadence_contracts.client import CadenceClient, models
from cadence_contracts.client_code.types import python_name
from cadence_contracts.generate import HOME, drifted

DOCUMENT: Final[dict[str, Any]] = YAML(typ="safe").load((HOME / "openapi.yaml").read_text())
SCHEMAS: Final = DOCUMENT["components"]["schemas"]
OBJECTS: Final = sorted(name for name, schema in SCHEMAS.items() if "properties" in schema)
OPERATIONS: Final = {
    operation["operationId"]: operation for methods in DOCUMENT["paths"].values() for operation in methods.values()
}
MARK: Final = re.compile("#/.*/")


def model(name: str) -> type[BaseModel]:
    found = getattr(models, name)
    assert isinstance(found, type)
    assert issubclass(found, BaseModel)
    return found


def shape(schema: dict[str, Any], named: dict[str, Any]) -> Any:
    """The type that a JSON Schema says, without its bounds. Of an open enumeration what it names."""
    if "$ref" in schema:
        name = MARK.sub("", schema["$ref"])
        return name if "properties" in named[name] else shape(named[name], named)
    if either := schema.get("anyOf", schema.get("oneOf")):
        told = [shape(each, named) for each in either]
        shapes = {each for one in told for each in (one if isinstance(one, frozenset) else (one,))}
        texts = {each for each in shapes if isinstance(each, tuple) and each[0] == "enum"}
        shapes -= {"string"} if texts else set()
        return shapes.pop() if len(shapes) == 1 else frozenset(shapes)
    if "enum" in schema:
        return ("enum", *schema["enum"])
    match schema.get("type"):
        case "string":
            return {"date-time": "time", "uuid": "uuid"}.get(schema.get("format", ""), "string")
        case "array" if "prefixItems" in schema:
            return ("tuple", *(shape(each, named) for each in schema["prefixItems"]))
        case "array":
            return ("array", shape(schema["items"], named))
        case "object":
            values = [schema.get("additionalProperties", True), *schema.get("patternProperties", {}).values()][-1]
            return ("map", "any" if values is True else shape(values, named))
        case kind:
            return kind or "any"


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_has_a_method_that_takes_what_it_takes(name: str) -> None:
    operation = OPERATIONS[name]
    taken = inspect.signature(getattr(CadenceClient, name)).parameters
    named = {python_name(each["name"]): each["required"] for each in operation.get("parameters", [])}
    if "requestBody" in operation:
        named["rows" if name == "enroll_many" else "body"] = operation["requestBody"]["required"]

    assert {key: each.default is each.empty for key, each in taken.items() if key != "self"} == named


@pytest.mark.parametrize("name", OBJECTS)
def test_a_model_has_the_fields_of_its_schema(name: str) -> None:
    fields = model(name).model_json_schema(by_alias=True)

    assert set(fields["properties"]) == set(SCHEMAS[name]["properties"])
    assert set(fields.get("required", [])) == set(SCHEMAS[name].get("required", []))


@pytest.mark.parametrize("name", OBJECTS)
def test_a_field_has_the_type_of_its_schema(name: str) -> None:
    ours = model(name).model_json_schema(by_alias=True)

    for field, schema in SCHEMAS[name]["properties"].items():
        ours_is = shape(ours["properties"][field], ours.get("$defs", {}))
        assert ours_is == shape(schema, SCHEMAS), field


def test_an_answer_may_hold_more_than_this_client_knows() -> None:
    told = models.CadenceStatusTold.model_validate_json(
        '{"key": "welcome", "status": "resting", "settled": true, "actor": null, "reason": null, "mood": "fine"}'
    )

    assert told.status == "resting"


def test_what_was_not_set_is_not_sent() -> None:
    settings_ = models.CompanySettings(locale=None, detector_hour=8)

    assert settings_.model_dump_json(by_alias=True, exclude_unset=True) == '{"locale":null,"detectorHour":8}'


def test_a_document_that_has_grown_is_drift(tmp_path: Path) -> None:
    checkout = Path(shutil.copytree(HOME, tmp_path / "contracts", ignore=shutil.ignore_patterns("__pycache__")))
    grown = deepcopy(DOCUMENT)
    grown["paths"]["/v1/cadences"]["get"]["operationId"] = "all_cadences"
    grown["components"]["schemas"]["Count"]["properties"]["estimated"] = {"type": "boolean"}
    with (checkout / "openapi.yaml").open("w") as file:
        YAML().dump(grown, file)

    assert drifted(checkout) == ["cadence_contracts/client/models.py", "cadence_contracts/client/operations.py"]


def test_a_schema_named_after_a_module_of_the_engine_is_refused() -> None:
    document = deepcopy(DOCUMENT)
    document["components"]["schemas"]["EnrollAsked"]["properties"]["contactId"] = {
        "$ref": "#/components/schemas/cadence_engine__api__Contact"
    }

    with pytest.raises(ValueError, match="no name for a class"):
        client_code.generated(document)


@pytest.mark.parametrize(
    ("path", "method", "change", "says"),
    [
        ("/v1/drafts", "get", {"parameters": [{"name": "cursor", "in": "query"}]}, "in PAGED"),
        ("/v1/halt", "post", {"requestBody": {"content": {"text/plain": {}}}}, "body of text/plain"),
        ("/v1/dead-letters/drop", "post", {"operationId": "drop"}, "in BATCHED"),
    ],
)
def test_an_operation_that_needs_thought_is_refused(path: str, method: str, change: dict[str, Any], says: str) -> None:
    document = deepcopy(DOCUMENT)
    for parameter in change.get("parameters", []):
        parameter |= {"required": False, "schema": {"type": "string"}}
    document["paths"][path][method] |= change

    with pytest.raises(ValueError, match=says):
        client_code.generated(document)
