"""JSON Schemas (2020-12) of the envelope and of each event's data, made from the models.

They say what to write. The engine is more liberal in two places, which the descriptions name: a phone, locale or zone
that it cannot read, and further trigger fields that are no scalars, are left out rather than refused.
"""

from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode
from pydantic_core import core_schema

from cadence_contracts import inbound, outbound
from cadence_contracts.envelope import MAX_ATTRIBUTE_LENGTH, SPEC_VERSION
from cadence_contracts.fields import ID_PATTERN

FURTHER_TRIGGER: Final = "further-trigger"
ENVELOPE: Final = "envelope"

Schema = dict[str, Any]


def data_schemas() -> dict[str, Schema]:
    """By event type, and `further-trigger` for the topics that an installation adds; keys in the contract's order."""
    written: dict[str, Schema] = {name: _schema(model, "validation", name) for name, model in inbound.MODELS.items()}
    written[FURTHER_TRIGGER] = _schema(inbound.GenericTrigger, "validation", FURTHER_TRIGGER)
    read: dict[str, Schema] = {name: _schema(model, "serialization", name) for name, model in outbound.MODELS.items()}
    return written | read


def envelope_schema() -> Schema:
    """A CloudEvent in structured content mode, whatever its type."""
    text: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_ATTRIBUTE_LENGTH, "pattern": ID_PATTERN}
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": f"{ENVELOPE}.json",
        "title": "Envelope",
        "description": "A CloudEvents 1.0 event in structured content mode. Further attributes are no error.",
        "type": "object",
        "properties": {
            "specversion": {"const": SPEC_VERSION},
            "id": text | {"description": "With the source it identifies the event; the same when it is sent again."},
            "source": text | {"description": "Who says it, as a URI reference such as /crm."},
            "type": text | {"description": "For what the engine reads, the topic's name."},
            "time": {
                "anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}],
                "description": "When it was written down. What counts is the Kafka record's timestamp.",
            },
            "datacontenttype": {
                "anyOf": [{"type": "string"}, {"type": "null"}],
                "description": "application/json, which absence means too.",
            },
            "data": {"type": "object"},
        },
        "required": ["specversion", "id", "source", "type", "data"],
    }


class _Plain(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - no title repeats a field's name
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> Schema:
        """Without `default: null`: what is absent is not the same as null."""
        if schema.get("default", schema) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)


def _schema(model: type[inbound.Inbound] | type[outbound.Outbound], mode: JsonSchemaMode, name: str) -> Schema:
    schema = model.model_json_schema(by_alias=True, mode=mode, schema_generator=_Plain)
    if issubclass(model, inbound.GenericTrigger):
        schema["additionalProperties"] = True
    return {"$schema": GenerateJsonSchema.schema_dialect, "$id": f"{name}.json"} | schema
