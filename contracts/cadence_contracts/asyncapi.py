"""The AsyncAPI 3 document of the engine's topics."""

from collections.abc import Mapping
from typing import Any, Final

from cadence_contracts import dead_letters, inbound, outbound, topics
from cadence_contracts.records import TRACEPARENT
from cadence_contracts.schemas import ENVELOPE, FURTHER_TRIGGER

Document = dict[str, Any]

_DESCRIPTION: Final = """\
What the cadence engine reads and writes. Every record is a CloudEvents 1.0 event over Kafka, in structured or binary
content mode, told apart by the content-type header; the engine writes structured. The payloads below are the structured
form. Records are keyed by contactId. Everything only grows: ignore fields and types that you do not know.
"""
_TRACEPARENT: Final = "W3C trace context: read where it is there, written where what began the enrollment is traced."
_GATE: Final = " Of the gate: the topic is to have message.timestamp.type=LogAppendTime."


def document(version: str, examples: Mapping[str, Mapping[str, Any]]) -> Document:
    """The whole document. `examples` holds one structured event by type."""
    types = [*inbound.MODELS, FURTHER_TRIGGER, *outbound.MODELS]
    messages = {name: _message(name, examples.get(name)) for name in types}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Cadence engine", "version": version, "description": _DESCRIPTION},
        "defaultContentType": "application/cloudevents+json",
        "channels": _channels(),
        "operations": _operations(),
        "components": {
            "messages": messages | {"deadLetter": _dead_letter()},
            "messageTraits": {
                "structured": {
                    "contentType": "application/cloudevents+json",
                    "headers": {
                        "type": "object",
                        "properties": {
                            "content-type": {"const": "application/cloudevents+json; charset=utf-8"},
                            TRACEPARENT: {"type": "string", "description": _TRACEPARENT},
                        },
                    },
                }
            },
        },
    }


def _channels() -> Document:
    channels = {
        name: _channel(name, [name], _summary(model) + (_GATE if name in topics.GATE else ""))
        for name, model in inbound.MODELS.items()
    }
    channels[FURTHER_TRIGGER] = _channel("{topic}", [FURTHER_TRIGGER], _summary(inbound.GenericTrigger)) | {
        "parameters": {"topic": {"description": "A trigger topic that an installation names in its settings."}}
    }
    for topic in (topics.OUTBOUND, topics.EVENTS):
        carried = [name for name in outbound.MODELS if topics.topic_of(name) == topic]
        channels[topic] = _channel(topic, carried, "Read it with isolation.level=read_committed.")
    channels[topics.DEAD_LETTERS] = _channel(topics.DEAD_LETTERS, ["deadLetter"], "Records that could not be read.")
    return channels


def _channel(address: str, messages: list[str], description: str) -> Document:
    return {
        "address": address,
        "description": description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
    }


def _operations() -> Document:
    received = [*inbound.MODELS, FURTHER_TRIGGER]
    sent = [topics.OUTBOUND, topics.EVENTS, topics.DEAD_LETTERS]
    return {f"receive.{name}": _operation("receive", name) for name in received} | {
        f"send.{name}": _operation("send", name) for name in sent
    }


def _operation(action: str, channel: str) -> Document:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}}


def _message(name: str, example: Mapping[str, Any] | None) -> Document:
    model = inbound.MODELS.get(name) or outbound.MODELS.get(name) or inbound.GenericTrigger
    own: Document = {"data": {"$ref": f"./schemas/{name}.json"}}
    if name != FURTHER_TRIGGER:
        own = {"type": {"const": name}} | own
    message: Document = {
        "name": name,
        "summary": _summary(model),
        "traits": [{"$ref": "#/components/messageTraits/structured"}],
        "payload": {"allOf": [{"$ref": f"./schemas/{ENVELOPE}.json"}, {"type": "object", "properties": own}]},
        "bindings": {"kafka": {"key": {"type": "string", "description": _key(name)}, "bindingVersion": "0.5.0"}},
    }
    if example is not None:
        message["examples"] = [{"name": "full", "payload": dict(example)}]
    return message


def _dead_letter() -> Document:
    text = {"type": "string"}
    headers: Document = {
        dead_letters.HEADER_TOPIC: text,
        dead_letters.HEADER_PARTITION: text,
        dead_letters.HEADER_OFFSET: text,
        dead_letters.HEADER_TIMESTAMP: text,
        dead_letters.HEADER_REASON: {"enum": [str(reason) for reason in dead_letters.Reason]},
        dead_letters.HEADER_DETAIL: text | {"description": "A sentence: where, what is wrong, what is allowed."},
        dead_letters.HEADER_TRUNCATED: text | {"description": "There if the value was too large and is cut."},
    }
    always = [name for name in headers if name != dead_letters.HEADER_TRUNCATED]
    return {
        "name": "deadLetter",
        "summary": "The original key, value and headers, untouched, and why it could not be read.",
        "contentType": "application/octet-stream",
        "headers": {"type": "object", "properties": headers, "required": always},
        "payload": {"description": "The original value: any bytes, or none."},
    }


def _key(name: str) -> str:
    if name in (topics.COMPANY_UPDATED, topics.COMPANY_DELETED):
        return "companyId"
    return "contactId, or leadId without one" if name == topics.LEAD_CREATED else "contactId"


def _summary(model: type[inbound.Inbound] | type[outbound.Outbound]) -> str:
    return (model.__doc__ or "").partition("\n")[0]
