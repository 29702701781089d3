"""From the log's rows to Kafka records: which topic, key, value and headers. Nothing here does I/O."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID

import structlog

from cadence_contracts import dead_letters, structured_value, topics
from cadence_contracts.fields import format_time
from cadence_contracts.records import STRUCTURED_HEADERS, TRACEPARENT
from cadence_engine.domain import events
from cadence_engine.storage.relay import Letter, LetterId, LoggedEvent

ROOM: Final = 2048
"""Bytes of a record beside value, key and original headers: the batch's header, lengths, and the headers we add."""
HEADER_ROOM: Final = 12
DETAIL_BYTES: Final = 1000

Headers = tuple[tuple[str, bytes | None], ...]

log = structlog.stdlib.get_logger("cadence_engine.relay")


class Outgoing(NamedTuple):
    """A record to publish; `topic` as the contract names it. Without a key, `spread` chooses the partition."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int
    spread: int = 0


def letter_ids(logged: Iterable[LoggedEvent]) -> list[LetterId]:
    """The dead letters that the events refer to."""
    return [LetterId.of(event) for event in logged if event.type == events.DEAD_LETTER]


def outgoing(
    logged: Iterable[LoggedEvent],
    letters: Mapping[LetterId, Letter],
    limits: Mapping[str, int],
    contexts: Mapping[UUID, str],
) -> Iterator[Outgoing]:
    """The records of these events, in their order.

    `letters` holds the dead letters that they refer to, `limits` each topic's largest record in bytes, `contexts` the
    `traceparent` of each event that has one.
    """
    for event in logged:
        if event.type == events.DEAD_LETTER:
            letter = letters.get(LetterId.of(event))
            if letter is None:
                log.error("dead_letter_missing", batch_id=event.batch_id, position=event.position)
            else:
                yield _of_letter(letter, _milliseconds(event.logged_at), limits[topics.DEAD_LETTERS])
        elif event.type not in events.UNPUBLISHED:
            record = _of_event(event, limits, contexts.get(event.event_id) if contexts else None)
            if record is not None:
                yield record


def _of_event(event: LoggedEvent, limits: Mapping[str, int], traceparent: str | None) -> Outgoing | None:
    try:
        topic = topics.topic_of(event.type)
    except KeyError:
        log.error("event_without_topic", type=event.type, batch_id=event.batch_id, position=event.position)
        return None
    record = Outgoing(
        topic=topic,
        key=None if event.contact_id is None else event.contact_id.encode(),
        value=structured_value(
            id=str(event.event_id), type=event.type, time=_text(event.logged_at), data_json=event.data
        ),
        headers=STRUCTURED_HEADERS if traceparent is None else _traced(traceparent),
        timestamp_ms=_milliseconds(event.logged_at),
    )
    return record if len(record.value or b"") + ROOM <= limits[topic] else _too_large(event, record, limits)


def _traced(traceparent: str) -> Headers:
    return (*STRUCTURED_HEADERS, (TRACEPARENT, traceparent.encode()))


def _too_large(event: LoggedEvent, record: Outgoing, limits: Mapping[str, int]) -> Outgoing:
    """What the topic would refuse for ever must not hold up the rest: it goes where somebody looks."""
    log.error("event_too_large", topic=record.topic, batch_id=event.batch_id, position=event.position)
    letter = Letter(
        id=LetterId(record.topic, -1, -1),
        timestamp_ms=record.timestamp_ms,
        key=record.key,
        value=record.value,
        headers=record.headers,
        reason=dead_letters.Reason.TOO_LARGE,
        detail=f"event {event.event_id} is larger than topic {record.topic} takes ({limits[record.topic]} bytes)",
    )
    return _of_letter(letter, record.timestamp_ms, limits[topics.DEAD_LETTERS])


def _of_letter(letter: Letter, timestamp_ms: int, limit: int) -> Outgoing:
    key, value, headers, cut = _cut(letter, limit - ROOM - DETAIL_BYTES)
    cut = "value,headers,key" if letter.erased else cut
    about = {
        dead_letters.HEADER_TOPIC: letter.id.topic,
        dead_letters.HEADER_PARTITION: str(letter.id.partition),
        dead_letters.HEADER_OFFSET: str(letter.id.offset),
        dead_letters.HEADER_TIMESTAMP: str(letter.timestamp_ms),
        dead_letters.HEADER_REASON: letter.reason,
        dead_letters.HEADER_DETAIL: letter.detail,
        **({dead_letters.HEADER_TRUNCATED: cut} if cut else {}),
    }
    return Outgoing(
        topic=topics.DEAD_LETTERS,
        key=key,
        value=value,
        headers=(*headers, *((name, text.encode()[:DETAIL_BYTES]) for name, text in about.items())),
        timestamp_ms=timestamp_ms,
        spread=max(0, letter.id.partition),
    )


def _cut(letter: Letter, room: int) -> tuple[bytes | None, bytes | None, Headers, str]:
    """Key, value and headers that fit, and what was cut: the value first, then headers, then the key."""
    key, value, headers = letter.key, letter.value, letter.headers
    cut = []
    if _bytes(key) + _bytes(value) + _header_bytes(headers) > room:
        cut.append("value")
        value = (value or b"")[: max(0, room - _bytes(key) - _header_bytes(headers))]
        if _bytes(key) + _header_bytes(headers) > room:
            cut.append("headers")
            headers = ()
            if _bytes(key) > room:
                cut.append("key")
                key = (key or b"")[:room]
    return key, value, headers, ",".join(cut)


def _bytes(content: bytes | None) -> int:
    return len(content or b"")


def _header_bytes(headers: Headers) -> int:
    return sum(len(name.encode()) + _bytes(value) + HEADER_ROOM for name, value in headers)


@lru_cache(maxsize=1024)
def _text(logged_at: datetime) -> str:
    """The events of a batch share it: written once, not two thousand times."""
    return format_time(logged_at)


@lru_cache(maxsize=1024)
def _milliseconds(logged_at: datetime) -> int:
    return int(logged_at.timestamp() * 1000)
