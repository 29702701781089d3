"""What a consumer finds in the records: events as CloudEvents, dead letters as they came, and nothing that blocks."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from cadence_contracts import read_record, topics
from cadence_engine.domain.events import DEAD_LETTER, HASTENED, PAUSED, REFUSED, Event
from tests.bus.relay.conftest import Log, Road, TopicConfigs, a_send, publish_all

OUTBOUND_LIMIT = 20_000
DEAD_LETTERS_LIMIT = 40_000


@pytest.fixture
def topic_configs() -> TopicConfigs:
    return {
        topics.OUTBOUND: {"max.message.bytes": str(OUTBOUND_LIMIT)},
        topics.DEAD_LETTERS: {"max.message.bytes": str(DEAD_LETTERS_LIMIT)},
    }


async def test_an_event_is_a_structured_cloud_event(log: Log, road: Road) -> None:
    written = a_send("ana", name="Zoë")
    await log.write(written)
    await publish_all(log)

    [record] = await road.records()
    event = read_record(record.value, record.headers)
    assert event.id == str(written.event_id)
    assert event.type == "whatsapp.send.requested"
    assert event.source == "/cadence-engine"
    assert event.data == written.data
    assert record.key == b"ana"
    logged_at = await log.connection.fetchval("SELECT logged_at FROM event_batches")
    assert event.time == logged_at
    assert record.timestamp == int(logged_at.timestamp() * 1000)


async def test_events_go_to_their_topics_and_what_is_kept_to_none(log: Log, road: Road) -> None:
    refused, hastened, paused, sent = (an_event(REFUSED), an_event(HASTENED), an_event(PAUSED), a_send("ana"))
    await log.write(refused, hastened)
    await log.write(paused, sent, refused)
    await publish_all(log)

    assert await road.event_ids(topics.OUTBOUND) == [sent.event_id]
    assert await road.event_ids(topics.EVENTS) == [paused.event_id]
    assert await road.records(topics.DEAD_LETTERS) == []


async def test_a_contact_lands_on_the_partition_where_other_clients_look_for_it(log: Log, road: Road) -> None:
    contacts = [f"contact-{number}" for number in range(20)]
    await log.write(*(a_send(contact) for contact in contacts))
    await publish_all(log)
    producer = AIOKafkaProducer(bootstrap_servers=log.settings.kafka_bootstrap_servers)
    async with producer:
        for contact in contacts:
            await producer.send_and_wait(log.settings.topic(topics.EVENTS), b"{}", key=contact.encode())

    theirs = {record.key: record.partition for record in await road.records(topics.EVENTS)}
    ours = {record.key: record.partition for record in await road.records(topics.OUTBOUND)}
    assert ours == theirs
    assert len(set(ours.values())) > 1


@pytest.mark.parametrize(
    ("key", "value", "headers"),
    [
        (b"ana", b"not json", ()),
        (b"\xff\x00", b"\xfe\x00\xff", (("binary", b"\x00\xff"), ("null", None), ("twice", b"1"), ("twice", b"2"))),
        (b"ana", None, ()),
        (None, b"{}", ()),
        (None, None, (("content-type", None),)),
        (b"", b"", ()),
    ],
)
async def test_a_dead_letter_is_published_as_it_came(
    log: Log, road: Road, key: bytes | None, value: bytes | None, headers: tuple[tuple[str, bytes | None], ...]
) -> None:
    await write_letter(log, key, value, headers)
    await publish_all(log)

    [record] = await road.records(topics.DEAD_LETTERS)
    assert (record.key, record.value) == (key, value)
    assert record.headers[: len(headers)] == headers
    assert dict(record.headers[len(headers) :]) == {
        "dlq-topic": b"x.message.received",
        "dlq-partition": b"2",
        "dlq-offset": b"7",
        "dlq-timestamp": b"1767225600000",
        "dlq-reason": b"not_json",
        "dlq-detail": b"the value must be JSON",
    }


@pytest.mark.parametrize(
    ("key", "value", "headers", "cut"),
    [
        (b"ana", b"v" * DEAD_LETTERS_LIMIT, (("h", b"1"),), "value"),
        (b"ana", None, (("h", b"h" * DEAD_LETTERS_LIMIT),), "value,headers"),
        (b"k" * DEAD_LETTERS_LIMIT, b"v", (), "value,headers,key"),
    ],
)
async def test_a_dead_letter_that_is_too_large_is_cut_and_says_so(
    log: Log, road: Road, key: bytes, value: bytes | None, headers: tuple[tuple[str, bytes | None], ...], cut: str
) -> None:
    await write_letter(log, key, value, headers)
    await log.write(a_send("ana"))
    await publish_all(log)

    [record] = await road.records(topics.DEAD_LETTERS)
    assert dict(record.headers)["dlq-truncated"] == cut.encode()
    assert key.startswith(record.key or b"")
    assert (value or b"").startswith(record.value or b"")
    if cut == "value":
        assert len(record.value or b"") > DEAD_LETTERS_LIMIT * 0.9
        assert record.headers[0] == ("h", b"1")


async def test_an_event_that_its_topic_refuses_does_not_hold_up_the_others(log: Log, road: Road) -> None:
    large, small = a_send("ana", padding="x" * OUTBOUND_LIMIT), a_send("ana")
    await log.write(large, small)
    await publish_all(log)

    assert await road.event_ids() == [small.event_id]
    [record] = await road.records(topics.DEAD_LETTERS)
    headers = dict(record.headers)
    assert headers["dlq-reason"] == b"too_large"
    assert str(large.event_id).encode() in (headers["dlq-detail"] or b"")
    assert orjson.loads(record.value or b"")["id"] == str(large.event_id)


async def test_events_just_below_the_limit_are_published(log: Log, road: Road) -> None:
    sends = [a_send("ana", padding="x" * (OUTBOUND_LIMIT - 2_500)) for _ in range(5)]
    await log.write(*sends)
    await publish_all(log)

    await road.holds_once_and_in_order(sends)


async def test_a_dead_letter_whose_record_is_gone_does_not_hold_up_the_others(log: Log, road: Road) -> None:
    await write_letter(log, b"ana", b"{}", ())
    await log.connection.execute("DELETE FROM dead_letters")
    await log.write(sent := a_send("ana"))
    await publish_all(log)

    assert await road.event_ids() == [sent.event_id]
    assert await road.records(topics.DEAD_LETTERS) == []


async def test_a_dead_letter_of_a_deleted_contact_is_published_without_its_record(log: Log, road: Road) -> None:
    await write_letter(log, b"ana", b'{"phone": "+5511999990000"}', (("name", b"Ana"),))
    await log.connection.execute(
        """
        UPDATE dead_letters SET key = NULL, value = NULL, header_names = '{}', header_values = '{}', state = 'dropped',
            settled_at = now(), settled_by = 'erase', settled_reason = 'the contact was deleted'
        """
    )
    await publish_all(log)

    [record] = await road.records(topics.DEAD_LETTERS)
    headers = dict(record.headers)
    assert (record.key, record.value, "name" in headers) == (None, None, False)
    assert (headers["dlq-offset"], headers["dlq-truncated"]) == (b"7", b"value,headers,key")


async def write_letter(
    log: Log, key: bytes | None, value: bytes | None, headers: tuple[tuple[str, bytes | None], ...]
) -> None:
    where = TopicPartition("x.message.received", 2)
    at = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
    await log.connection.execute(
        "INSERT INTO dead_letters VALUES ($1, $2, 7, $3, $4, $5, $6, $7, 'not_json', 'the value must be JSON')",
        where.topic,
        where.partition,
        at,
        key,
        value,
        [name for name, _ in headers],
        [content for _, content in headers],
    )
    data: dict[str, Any] = {"topic": where.topic, "partition": where.partition, "offset": 7}
    await log.write(Event(DEAD_LETTER, uuid4(), None, None, None, None, data))


def an_event(type_: str) -> Event:
    return Event(type_, uuid4(), "acme", "ana", uuid4(), 1, {"contactId": "ana"})
