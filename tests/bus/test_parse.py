"""What a record becomes, without servers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from aiokafka import ConsumerRecord
from structlog.testing import capture_logs

from cadence_contracts.inbound import ContactCreated, GenericTrigger
from cadence_engine.bootstrap import policy_of
from cadence_engine.bus.parse import RawRecord, Reading, read_one, read_page
from cadence_engine.bus.reread import reader
from cadence_engine.handlers.received import DeadLetter, Received
from cadence_engine.settings import Settings
from tests.recorded import recorded

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
MEMORY = timedelta(days=14)
SETTINGS = Settings(DATABASE_URL="postgresql://nobody@nowhere/none")
TRACED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def record(type_: str = "contact.created", *, timestamp: int = NOW_MS, **fields: Any) -> RawRecord:
    data = {"companyId": "acme", "contactId": "ana", **fields}
    value = orjson.dumps({"specversion": "1.0", "id": "1", "source": "/crm", "type": type_, "data": data})
    return ConsumerRecord("t." + type_, 0, 7, timestamp, 0, b"ana", value, None, 3, len(value), ())


def reading(topic: str = "contact.created") -> Reading:
    return Reading(topic, NOW, MEMORY)


def test_an_event_keeps_its_identity_and_its_time() -> None:
    read = read_one(record(timestamp=NOW_MS - 1), reading())
    assert isinstance(read, Received)
    assert isinstance(read.event, ContactCreated)
    assert (read.type, read.source, read.id) == ("contact.created", "/crm", "1")
    assert read.at == NOW - timedelta(milliseconds=1)


@pytest.mark.parametrize("timestamp", [NOW_MS + 1, NOW_MS + 10**9, 2**63 - 1, -1])
def test_a_time_to_come_or_none_at_all_counts_as_now(timestamp: int) -> None:
    read = read_one(record(timestamp=timestamp), reading())
    assert isinstance(read, Received)
    assert read.at == NOW


def test_what_the_inbox_has_forgotten_is_stale() -> None:
    oldest = NOW_MS - int(MEMORY.total_seconds() * 1000)
    assert isinstance(read_one(record(timestamp=oldest), reading()), Received)
    for timestamp in (oldest - 1, 0, -2, -(2**63)):
        letter = read_one(record(timestamp=timestamp), reading())
        assert isinstance(letter, DeadLetter)
        assert letter.reason == "stale"
        assert letter.timestamp_ms == timestamp


def test_a_further_topic_carries_any_type_but_the_engines_own() -> None:
    read = read_one(record("demo.booked", seats=3), reading("sales.demos"))
    assert isinstance(read, Received)
    assert isinstance(read.event, GenericTrigger)
    assert read.type == "demo.booked"
    for own in ("inactivity", "api"):
        letter = read_one(record(own), reading("sales.demos"))
        assert isinstance(letter, DeadLetter)
        assert letter.reason == "unknown_type"


def test_a_trace_context_is_read_where_somebody_traces_and_of_replayed_records_too() -> None:
    traced = replace(record(), headers=[("traceparent", TRACED.encode())])
    read = [read_one(traced, reading()), read_one(traced, replace(reading(), traced=True))]
    assert [isinstance(one, Received) and one.traceparent for one in read] == [None, TRACED]

    letter = read_one(replace(traced, timestamp=0), reading())
    assert isinstance(letter, DeadLetter)
    again = reader(SETTINGS, policy_of(SETTINGS))
    with recorded():
        replayed = again(replace(letter, topic="contact.created", timestamp_ms=NOW_MS), NOW)
    assert isinstance(replayed, Received)
    assert replayed.traceparent == TRACED


async def test_unreadable_fields_are_reported_once_per_page_and_never_quoted() -> None:
    records = [record(phone="0170 / 12 34"), record(phone="0170 / 56 78", timeZone="Mars/Olympus"), record()]
    with capture_logs() as logs:
        page = await read_page(records, (), reading())
    assert len(page.received) == 3
    assert [(line["event"], line["field"], line["records"]) for line in logs] == [
        ("field_ignored", "phone", 2),
        ("field_ignored", "timeZone", 1),
    ]
    assert "0170" not in str(logs)
