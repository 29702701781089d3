"""The demo's script, `events.jsonl`: what is published or typed, and at which second."""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from cadence_contracts.records import STRUCTURED_HEADERS

EVENTS = Path(__file__).with_name("events.jsonl")


@dataclass(frozen=True, slots=True)
class Line:
    """A record to publish; `at` in seconds since the beginning, the topic as the contract names it."""

    at: float
    topic: str
    key: bytes
    headers: tuple[tuple[str, bytes], ...]
    value: bytes | None
    broken: str | None = None
    """Why it must become a dead letter; None for a good record."""


@dataclass(frozen=True, slots=True)
class Act:
    """What an operator types after `cadence-engine`."""

    at: float
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """Both in the order of time."""

    lines: tuple[Line, ...]
    acts: tuple[Act, ...]


def read(text: str) -> Script:
    """The script in the text: one JSON object a line."""
    entries = [orjson.loads(line) for line in text.splitlines()]
    return Script(
        lines=tuple(_line(entry) for entry in entries if "topic" in entry),
        acts=tuple(Act(entry["at"], tuple(entry["command"])) for entry in entries if "command" in entry),
    )


def _line(entry: dict[str, Any]) -> Line:
    return Line(
        at=entry["at"],
        topic=entry["topic"],
        key=entry["key"].encode(),
        headers=_headers(entry.get("headers")),
        value=_value(entry["value"]),
        broken=entry.get("broken"),
    )


def _headers(given: dict[str, str | dict[str, str]] | None) -> tuple[tuple[str, bytes], ...]:
    """Those of a structured event where none are given."""
    return STRUCTURED_HEADERS if given is None else tuple((name, _header(value)) for name, value in given.items())


def _header(value: str | dict[str, str]) -> bytes:
    return value.encode() if isinstance(value, str) else base64.b64decode(value["base64"])


def _value(value: Any) -> bytes | None:
    """A text is there as it is: it is how a record that is no JSON is written."""
    if value is None:
        return None
    return value.encode() if isinstance(value, str) else orjson.dumps(value)
