"""Every golden example is judged by the models, the JSON Schemas and the codec as it says it should be."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]

from cadence_contracts import InvalidRecord, inbound, outbound, read_record
from cadence_contracts.fields import parse_time
from cadence_contracts.schemas import FURTHER_TRIGGER, data_schemas, envelope_schema
from tests.contracts.samples import STRUCTURED, example, folder, paths, raw, structured

VALID = [path for name in ("full", "minimal", "unknown-fields") for path in paths(f"*/{name}.json")]
INVALID = [path for path in paths("*/invalid-*.json") if folder(path) != "records"]
FORMATS = FormatChecker()
FORMATS.checks("date-time", ValueError)(lambda text: not isinstance(text, str) or parse_time(text))
SCHEMAS = {name: Draft202012Validator(schema, format_checker=FORMATS) for name, schema in data_schemas().items()}
ENVELOPE = Draft202012Validator(envelope_schema(), format_checker=FORMATS)


def parse(event: Any, name: str) -> Any:
    envelope = read_record(structured(event), STRUCTURED)
    if name in outbound.MODELS:
        return outbound.parse(envelope)
    return inbound.parse(envelope, topic=envelope.type if name == FURTHER_TRIGGER else name)


def test_each_type_has_a_full_a_minimal_and_an_unknown_fields_example() -> None:
    assert {folder(path) for path in VALID} == set(data_schemas())
    assert len(VALID) == 3 * len(data_schemas())


@pytest.mark.parametrize("path", VALID)
def test_a_valid_example_is_accepted(path: str) -> None:
    event, name = example(path), folder(path)

    parsed = parse(event, name)

    assert parsed is not None
    assert getattr(parsed, "ignored", ()) == ()
    assert list(ENVELOPE.iter_errors(event)) == []
    assert list(SCHEMAS[name].iter_errors(event["data"])) == []


@pytest.mark.parametrize("path", paths("*/full.json"))
def test_a_full_example_names_every_field_of_its_type(path: str) -> None:
    data = example(path)["data"]

    assert set(SCHEMAS[folder(path)].schema["properties"]) <= set(data)


@pytest.mark.parametrize("path", paths("*/full.json"))
def test_a_full_example_is_written_again_as_it_was_read(path: str) -> None:
    event = example(path)

    written = parse(event, folder(path)).model_dump(mode="json", by_alias=True, exclude_unset=True)

    assert {name: _same_time(value) for name, value in written.items()} == {
        name: _same_time(value) for name, value in event["data"].items()
    }


def _same_time(value: Any) -> Any:
    return value.replace("000Z", "Z") if isinstance(value, str) else value


@pytest.mark.parametrize("path", INVALID)
def test_an_invalid_example_gets_exactly_its_reason(path: str) -> None:
    sample = example(path)

    with pytest.raises(InvalidRecord) as refusal:
        parse(sample["event"], folder(path))

    assert refusal.value.reason == sample["reason"]
    assert refusal.value.detail
    assert list(SCHEMAS[folder(path)].iter_errors(sample["event"]["data"])), "its JSON Schema allows it"


@pytest.mark.parametrize("path", paths("*/ignored-*.json"))
def test_what_cannot_be_read_is_left_out_and_reported(path: str) -> None:
    sample = example(path)

    parsed = parse(sample["event"], folder(path))

    assert list(parsed.ignored) == sample["ignored"]
    assert not set(sample["ignored"]) & set(parsed.model_dump(by_alias=True, exclude_unset=True))


@pytest.mark.parametrize("path", paths("records/*.json"))
def test_a_raw_record_gets_exactly_its_reason(path: str) -> None:
    sample = example(path)
    headers = [(name, raw(value)) for name, value in sample["headers"]]
    reason = None

    try:
        inbound.parse(read_record(raw(sample["value"]), headers), topic=sample.get("topic"))
    except InvalidRecord as refusal:
        reason = refusal.reason

    assert reason == sample.get("reason")
