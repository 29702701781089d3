"""The generated documents are up to date, break nothing that was released, and are what they claim to be."""

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator  # type: ignore[import-untyped]
from ruamel.yaml import YAML

from cadence_contracts.generate import HOME, broken, drifted, generated
from cadence_contracts.schemas import data_schemas, envelope_schema

DOCUMENT: dict[str, Any] = YAML(typ="safe").load((HOME / "asyncapi.yaml").read_text())


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return Path(shutil.copytree(HOME, tmp_path / "contracts", ignore=shutil.ignore_patterns("__pycache__")))


def test_what_is_committed_is_what_the_models_say() -> None:
    assert drifted() == []


def test_drift_is_seen(checkout: Path) -> None:
    (checkout / "schemas/lead.created.json").write_text("{}")
    (checkout / "schemas/contact.created.json").unlink()
    (checkout / "schemas/forgotten.json").write_text("{}")

    assert set(drifted(checkout)) == {
        f"schemas/{name}.json" for name in ("lead.created", "contact.created", "forgotten")
    }


def test_nothing_that_was_released_is_broken() -> None:
    assert list((HOME / "schemas/released").glob("*.json"))
    assert broken() == []


def test_a_break_of_the_release_is_seen(checkout: Path) -> None:
    path = checkout / "schemas/released/contact.created.json"
    released = json.loads(path.read_text())
    released["properties"]["nickname"] = {"type": "string"}
    path.write_text(json.dumps(released))
    (checkout / "schemas/released/contact.merged.json").write_text("{}")

    assert broken(checkout) == [
        "contact.merged: the event type is gone",
        "contact.created: data.nickname: the field is gone",
    ]


@pytest.mark.parametrize("schema", [envelope_schema(), *data_schemas().values()], ids=lambda schema: schema["$id"])
def test_a_schema_is_a_json_schema(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    assert schema["description"]


def test_the_asyncapi_document_is_valid_by_its_official_schema() -> None:
    # `schemas/3.0.0-without-$id.json` of AsyncAPI's published specs 6.11.1 (Apache-2.0), unchanged.
    packed = Path(__file__).with_name("asyncapi-3.0.0.schema.json.gz")
    official = json.loads(gzip.decompress(packed.read_bytes()))

    assert [error.message for error in Draft7Validator(official).iter_errors(DOCUMENT)] == []


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    references = list(_references(DOCUMENT))

    assert len(references) > 50
    for reference in references:
        file, _, inner = reference.partition("#")
        target = json.loads((HOME / file).read_text()) if file else DOCUMENT
        for part in inner.split("/")[1:]:
            target = target[part]


def test_every_type_is_on_a_channel() -> None:
    carried = {name for channel in DOCUMENT["channels"].values() for name in channel["messages"]}

    assert carried == set(data_schemas()) | {"deadLetter"}


def test_generated_files_are_readable_text() -> None:
    assert all(text.isascii() and text.endswith("\n") for text in generated().values())


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _references(item)
