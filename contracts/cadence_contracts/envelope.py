"""Reads CloudEvents 1.0 from raw Kafka records, in structured and in binary content mode.

It takes the bytes as the broker gave them, since a decoder that wants every header to be text fails on records that
are quite all right.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any, Final, NamedTuple

from pydantic_core import from_json

from cadence_contracts.dead_letters import InvalidRecord, Reason
from cadence_contracts.fields import INT64_MAX, INT64_MIN, parse_time

SPEC_VERSION: Final = "1.0"
CONTENT_TYPE: Final = "content-type"
STRUCTURED_CONTENT_TYPE: Final = b"application/cloudevents+json; charset=utf-8"
BINARY_CONTENT_TYPE: Final = b"application/json"
ATTRIBUTE_PREFIX: Final = "ce_"
MAX_ATTRIBUTE_LENGTH: Final = 200

Headers = Sequence[tuple[str, bytes | None]]

_ESCAPED_NUL: Final = rb"\u0000"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_HOW_TO_SEND: Final = (
    "send a structured event with the header content-type: application/cloudevents+json, "
    "or the data alone with ce_specversion, ce_id, ce_source and ce_type headers"
)


class Envelope(NamedTuple):
    """One event. `(source, id)` identifies it; what happened is in `data`."""

    id: str
    source: str
    type: str
    data: dict[str, Any]
    time: datetime | None = None
    attributes: Mapping[str, str | int | bool] = {}
    """`subject`, `dataschema` and extension attributes such as `traceparent`."""


class _Mode(Enum):
    STRUCTURED = "structured"
    BINARY = "binary"
    UNSAID = "unsaid"
    BATCH = "batch"
    FOREIGN = "foreign"


def read_record(value: bytes | None, headers: Headers) -> Envelope:
    """The event in a Kafka record; `InvalidRecord` is the only exception, whatever the bytes.

    Its reasons: `no_value`, `not_json`, `not_cloudevent`, and `invalid_data` where the data is no JSON object or holds
    NUL characters, which databases refuse. Of a header that is there twice the last one counts.
    """
    if not value:
        raise InvalidRecord(Reason.NO_VALUE, "the record has no value; to erase a contact, send contact.deleted")
    content_type, attributes = _read_headers(headers)
    mode = _content_mode(content_type)
    if mode is _Mode.FOREIGN:
        raise InvalidRecord(Reason.NOT_JSON, "the content-type header names another format; data must be JSON")
    content = _from_json(value)
    if mode is _Mode.BATCH:
        raise InvalidRecord(Reason.NOT_CLOUDEVENT, "a batch of events is not read; send one event per record")
    if mode is _Mode.UNSAID:
        mode = _Mode.BINARY if "specversion" in attributes else _Mode.STRUCTURED
    envelope = _structured(content) if mode is _Mode.STRUCTURED else _binary(content, _decoded(attributes))
    if _ESCAPED_NUL in value:
        _refuse_nul(envelope.data)
    return envelope


def _read_headers(headers: Headers) -> tuple[bytes | None, dict[str, bytes]]:
    content_type: bytes | None = None
    attributes: dict[str, bytes] = {}
    for raw_name, raw in headers:
        name = raw_name.lower()
        if raw is None:
            continue
        if name == CONTENT_TYPE:
            content_type = raw
        elif name.startswith(ATTRIBUTE_PREFIX):
            attributes[name.removeprefix(ATTRIBUTE_PREFIX)] = raw
    return content_type, attributes


@lru_cache(maxsize=256)
def _content_mode(content_type: bytes | None) -> _Mode:
    if not content_type or not content_type.strip():
        return _Mode.UNSAID
    media_type = _media_type(content_type.decode("latin-1"))
    if media_type == "application/cloudevents+json":
        return _Mode.STRUCTURED
    if media_type == "application/cloudevents-batch+json":
        return _Mode.BATCH
    if media_type.startswith("application/cloudevents") or not _is_json(media_type):
        return _Mode.FOREIGN
    return _Mode.BINARY


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _is_json(media_type: str) -> bool:
    return media_type in ("application/json", "text/json") or media_type.endswith("+json")


def _from_json(value: bytes) -> Any:
    try:
        return from_json(value, allow_inf_nan=False)
    except ValueError:
        raise InvalidRecord(
            Reason.NOT_JSON, "the value must be one JSON text in UTF-8, without a byte order mark, at most 200 deep"
        ) from None


def _structured(attributes: Any) -> Envelope:
    if type(attributes) is not dict or "specversion" not in attributes:
        raise InvalidRecord(Reason.NOT_CLOUDEVENT, f"the value is no CloudEvent; {_HOW_TO_SEND}")
    data_type = attributes.pop("datacontenttype", None)
    if data_type is not None and not (isinstance(data_type, str) and _is_json(_media_type(data_type))):
        raise InvalidRecord(Reason.NOT_JSON, "datacontenttype: data must be JSON, application/json")
    encoded = attributes.pop("data_base64", None)
    data = attributes.pop("data", None)
    if encoded is not None:
        if data is not None:
            raise InvalidRecord(Reason.NOT_CLOUDEVENT, "data and data_base64 exclude each other; send data")
        data = _from_base64(encoded)
    return _envelope(attributes, data)


def _from_base64(encoded: Any) -> Any:
    try:
        value = base64.b64decode(encoded, validate=True)
    except (ValueError, TypeError):
        raise InvalidRecord(Reason.NOT_CLOUDEVENT, "data_base64 must be a base64 string; or send data") from None
    data = _from_json(value)
    _refuse_nul(data)
    return data


def _decoded(headers: Mapping[str, bytes]) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for name, raw in headers.items():
        try:
            attributes[name] = raw.decode()
        except UnicodeDecodeError:
            if name in ("specversion", "id", "source", "type", "time"):
                raise InvalidRecord(Reason.NOT_CLOUDEVENT, f"{ATTRIBUTE_PREFIX}{name} must be UTF-8 text") from None
    return attributes


def _binary(data: Any, attributes: dict[str, Any]) -> Envelope:
    if "specversion" not in attributes:
        raise InvalidRecord(Reason.NOT_CLOUDEVENT, f"no ce_specversion header; {_HOW_TO_SEND}")
    return _envelope(attributes, data)


def _envelope(attributes: dict[str, Any], data: Any) -> Envelope:
    if attributes.pop("specversion") != SPEC_VERSION:
        raise InvalidRecord(Reason.NOT_CLOUDEVENT, 'specversion must be "1.0"')
    event_id = _text(attributes.pop("id", None), "id")
    source = _text(attributes.pop("source", None), "source")
    event_type = _text(attributes.pop("type", None), "type")
    time = attributes.pop("time", None)
    if type(data) is not dict:
        raise InvalidRecord(Reason.INVALID_DATA, "data must be a JSON object")
    return Envelope(
        event_id,
        source,
        event_type,
        data,
        None if time is None else _time(time),
        {name: value for name, value in attributes.items() if _is_attribute(name, value)} if attributes else {},
    )


def _text(value: Any, name: str) -> str:
    if type(value) is str and 0 < len(value) <= MAX_ATTRIBUTE_LENGTH and not _has_control(value):
        return value
    wrong = "is missing" if value is None else "is not allowed"
    raise InvalidRecord(
        Reason.NOT_CLOUDEVENT,
        f"{name} {wrong}: it must be a string of 1 to {MAX_ATTRIBUTE_LENGTH} characters, no control characters",
    )


def _has_control(text: str) -> bool:
    return not text.isprintable() and _CONTROL.search(text) is not None


def _time(value: Any) -> datetime:
    try:
        return parse_time(value)
    except (ValueError, TypeError) as wrong:
        rule = wrong if isinstance(wrong, ValueError) else "must be a string"
        raise InvalidRecord(Reason.NOT_CLOUDEVENT, f"time {rule}") from None


def _is_attribute(name: str, value: Any) -> bool:
    if _has_control(name):
        return False
    if isinstance(value, str):
        return not _has_control(value)
    return isinstance(value, int) and INT64_MIN <= value <= INT64_MAX


def _refuse_nul(data: Any) -> None:
    if _holds_nul(data):
        raise InvalidRecord(Reason.INVALID_DATA, "data holds a NUL character (\\u0000), which is not allowed anywhere")


def _holds_nul(content: Any) -> bool:
    pending = [content]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            if "\0" in item:
                return True
        elif isinstance(item, dict):
            pending.extend(item)
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
    return False
