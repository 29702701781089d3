"""Writes events as Kafka records, in structured and in binary content mode."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from pydantic_core import to_json

from cadence_contracts import topics
from cadence_contracts.envelope import (
    ATTRIBUTE_PREFIX,
    BINARY_CONTENT_TYPE,
    CONTENT_TYPE,
    SPEC_VERSION,
    STRUCTURED_CONTENT_TYPE,
)
from cadence_contracts.fields import format_time
from cadence_contracts.inbound import GenericTrigger, Inbound
from cadence_contracts.outbound import Outbound

ENGINE_SOURCE: Final = "/cadence-engine"
STRUCTURED_HEADERS: Final = ((CONTENT_TYPE, STRUCTURED_CONTENT_TYPE),)
TRACEPARENT: Final = "traceparent"
"""The header with a W3C trace context: read where it is there, written where the passage is traced."""


class Record(NamedTuple):
    """A record to produce; the names are those of aiokafka's `send`: `producer.send(**record._asdict())`."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


def write_record(
    event: Inbound | Outbound,
    *,
    id: str,  # noqa: A002 - the attribute's name
    source: str,
    time: datetime | None = None,
    type: str | None = None,  # noqa: A002 - the attribute's name
    attributes: Mapping[str, str] | None = None,
    mode: Literal["structured", "binary"] = "structured",
) -> Record:
    """The record that carries the event, on its topic and with the key that keeps a contact's events in order.

    `(source, id)` must stay the same when an event is sent again: by it a repetition is noticed. Of an inbound event
    only the fields that were set are written (absent leaves what is known, `None` clears). `type` is for a
    `GenericTrigger` alone, whose topic it is too. `attributes` are extensions such as `traceparent`.
    """
    event_type = _type_of(event, type)
    topic = event_type if isinstance(event, GenericTrigger) else topics.topic_of(event_type)
    data = event.model_dump_json(by_alias=True, exclude_unset=isinstance(event, Inbound)).encode()
    if mode == "binary":
        named = {"specversion": SPEC_VERSION, "id": id, "source": source, "type": event_type} | dict(attributes or {})
        if time is not None:
            named["time"] = format_time(time)
        headers = [(CONTENT_TYPE, BINARY_CONTENT_TYPE)]
        headers += [(ATTRIBUTE_PREFIX + name, value.encode()) for name, value in named.items()]
        return Record(topic, event.key.encode(), data, headers)
    value = structured_value(
        id=id, source=source, type=event_type, time=time, data_json=data, attributes=attributes or {}
    )
    return Record(topic, event.key.encode(), value, list(STRUCTURED_HEADERS))


def structured_value(
    *,
    id: str,  # noqa: A002 - the attribute's name
    type: str,  # noqa: A002 - the attribute's name
    time: datetime | str | None,
    data_json: str | bytes,
    source: str = ENGINE_SOURCE,
    attributes: Mapping[str, str] | None = None,
) -> bytes:
    """A structured event around data that is JSON text already; the text is put in as it is, not parsed.

    A `time` given as text must be RFC 3339.
    """
    parts = [_head(type, source), to_json(id)]
    if time is not None:
        parts += (b',"time":', to_json(time if isinstance(time, str) else format_time(time)))
    for name, value in attributes.items() if attributes else ():
        parts += (b",", to_json(name), b":", to_json(value))
    parts += (b',"data":', data_json.encode() if isinstance(data_json, str) else data_json, b"}")
    return b"".join(parts)


@lru_cache(maxsize=256)
def _head(event_type: str, source: str) -> bytes:
    constant = {
        "specversion": SPEC_VERSION,
        "type": event_type,
        "source": source,
        "datacontenttype": BINARY_CONTENT_TYPE.decode(),
    }
    return to_json(constant)[:-1] + b',"id":'


def _type_of(event: Inbound | Outbound, given: str | None) -> str:
    is_generic = isinstance(event, GenericTrigger) and event.event_type == GenericTrigger.event_type
    if is_generic != (given is not None):
        raise ValueError("give the type of a GenericTrigger, and of no other event")
    return given or event.event_type
