"""Judges events in files as the engine would: the `validate` command."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from pydantic_core import from_json, to_json

from cadence_contracts import inbound, outbound
from cadence_contracts.dead_letters import InvalidRecord
from cadence_contracts.envelope import CONTENT_TYPE, STRUCTURED_CONTENT_TYPE, Envelope, read_record

_STRUCTURED: Final = ((CONTENT_TYPE, STRUCTURED_CONTENT_TYPE),)


class Verdict(NamedTuple):
    """What the engine would make of one event."""

    place: str
    event_type: str | None
    refusal: InvalidRecord | None = None
    ignored: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.refusal is not None:
            return f"{self.place}: {self.refusal}"
        left_out = f" (left out: {', '.join(self.ignored)})" if self.ignored else ""
        return f"{self.place}: ok, {self.event_type}{left_out}"


def validate(content: bytes, name: str, *, bare_type: str | None = None, topic: str | None = None) -> Iterator[Verdict]:
    """A verdict for each event in `content`: one structured CloudEvent, an array of them, or one per line.

    With `bare_type` each is the data alone, of that type; with `topic` it is judged as a record of that topic. `name`
    is told in the verdicts.
    """
    for place, value in _events(content, name):
        yield _verdict(value, place, bare_type, topic)


def _events(content: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    lines = [(f"{name}:{number}", line) for number, line in enumerate(content.splitlines(), 1) if line.strip()]
    if len(lines) > 1 and not _is_json(content) and _is_json(lines[0][1]):
        yield from lines
    elif _is_json(content) and isinstance(events := from_json(content), list):
        yield from ((f"{name}[{index}]", to_json(event)) for index, event in enumerate(events))
    else:
        yield name, content


def _is_json(text: bytes) -> bool:
    try:
        from_json(text, allow_inf_nan=False)
    except ValueError:
        return False
    return True


def _verdict(value: bytes, place: str, bare_type: str | None, topic: str | None) -> Verdict:
    event_type = bare_type
    try:
        envelope = read_record(value, _binary(bare_type) if bare_type else _STRUCTURED)
        event_type = envelope.type
        return Verdict(place, event_type, ignored=_left_out(envelope, topic))
    except InvalidRecord as refusal:
        return Verdict(place, event_type, refusal)


def _binary(event_type: str) -> list[tuple[str, bytes]]:
    attributes = {"specversion": "1.0", "id": "-", "source": "/", "type": event_type}
    return [(f"ce_{name}", text.encode()) for name, text in attributes.items()]


def _left_out(envelope: Envelope, topic: str | None) -> tuple[str, ...]:
    if topic is None and outbound.parse(envelope) is not None:
        return ()
    return inbound.parse(envelope, topic=topic).ignored
