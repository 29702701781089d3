"""A bad record gets the contract's reason, and its neighbours are applied."""

import gzip
import struct
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c

from cadence_engine.bus import holds
from tests.bus.conftest import Road, a_reply, eventually

TOPIC = "message.received"
STRUCTURED = [("content-type", b"application/cloudevents+json")]


def structured(**changes: object) -> bytes:
    event = {"specversion": "1.0", "id": "x", "source": "/tests", "type": TOPIC} | changes
    event.setdefault("data", {"companyId": "acme", "contactId": "ana"})
    return orjson.dumps(event)


BAD: dict[str, tuple[bytes | None, str]] = {
    "no value": (None, "no_value"),
    "not utf-8": (b'{"specversion": "\xff"}', "not_json"),
    "cut off": (structured()[:-1], "not_json"),
    "nested without end": (b"[" * 100_000, "not_json"),
    "no cloudevent": (b'{"companyId": "acme"}', "not_cloudevent"),
    "no id": (structured(id=None), "not_cloudevent"),
    "another topic's type": (structured(type="contact.deleted"), "unknown_type"),
    "missing field": (structured(data={"companyId": "acme"}), "invalid_data"),
    "wrong type": (structured(data={"companyId": 1, "contactId": "ana"}), "invalid_data"),
    "too long": (structured(data={"companyId": "acme", "contactId": "a" * 201}), "invalid_data"),
    "nul": (structured(data={"companyId": "acme", "contactId": "a\0b"}), "invalid_data"),
}


async def test_each_kind_at_each_place_of_a_batch_spares_its_neighbours(road: Road) -> None:
    good, expected = [], []
    for number, (value, reason) in enumerate(BAD.values()):
        good.append(await road.send(a_reply(f"before {number}"), partition=0))
        expected.append((await road.raw(TOPIC, value, headers=STRUCTURED, partition=0), reason))
        if number % 2:
            good.append(await road.send(a_reply(f"after {number}"), partition=0))
    expected.insert(0, (await road.raw(TOPIC, b"first", partition=1), "not_json"))
    await road.consume()
    letters = await eventually(road.letters, lambda seen: len(seen) == len(expected))
    assert sorted(letters) == sorted(expected)
    assert await eventually(road.effects, lambda seen: len(seen) >= len(good)) == good
    assert max(len(page.dead_letters) for page in road.pages) > 1, "they were to meet in one batch"


async def test_a_dead_letter_is_the_record_untouched(road: Road) -> None:
    headers = [("content-type", b"application/json"), ("binary", b"\xff\x00"), ("trace", b"1"), ("trace", b"2")]
    offset = await road.raw(TOPIC, b"\x00\xff", key=b"\xfe", headers=headers, timestamp_ms=123)
    await road.raw(TOPIC, b"no headers, no key", key=None)
    await road.consume()
    await eventually(road.letters, lambda seen: len(seen) == 2)
    kept = await road.pool.fetchrow("SELECT * FROM dead_letters WHERE record_offset = $1 AND key = $2", offset, b"\xfe")
    assert kept is not None
    assert (kept["topic"], kept["value"], kept["reason"]) == (road.topic(TOPIC), b"\x00\xff", "not_json")
    assert list(zip(kept["header_names"], kept["header_values"], strict=True)) == headers
    assert kept["created_at"] - datetime.fromtimestamp(kept["record_timestamp"] / 1000, UTC) < timedelta(minutes=1), (
        "the topic's own clock counts, not the producer's"
    )


async def test_headers_that_nobody_reads_may_hold_anything(road: Road) -> None:
    strange = [("x-binary", b"\xff\xfe\x00"), ("x-empty", b""), ("reply_to", b"cadence.events"), ("", b"nameless")]
    sent = []
    for number, header in enumerate(strange):
        value = structured(id=f"h{number}")
        await road.raw(TOPIC, value, headers=[*STRUCTURED, header])
        sent.append(f"h{number}")
    await road.producer.send_and_wait(road.topic(TOPIC), structured(id="null"), headers=[*STRUCTURED, ("x-null", None)])
    await road.consume()
    applied = await eventually(road.effects, lambda seen: len(seen) == 5)
    assert sorted(applied) == sorted([*sent, "null"])
    assert await road.letters() == []


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
async def test_a_value_that_is_huge_once_unpacked_passes_with_its_neighbours(road: Road, compression: str) -> None:
    huge = structured(data={"companyId": "acme", "contactId": "x" * 12_000_000})
    assert len(gzip.compress(huge)) < 1_000_000
    before = await road.send(a_reply(), partition=0)
    offset = await compressed(road, [huge, huge], compression)
    after = await road.send(a_reply(), partition=0)
    await road.consume()
    assert await eventually(road.effects, lambda seen: len(seen) == 2) == [before, after]
    assert await road.letters() == [(offset, "invalid_data"), (offset + 1, "invalid_data")]


async def test_a_record_that_cannot_even_be_unpacked_holds_its_partition_alone(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holds, "SECONDS", 1.0)
    before = [await road.send(a_reply(), partition=0) for _ in range(3)]
    offset = await undecodable(road, partition=0)
    behind = await road.send(a_reply(), partition=0)
    elsewhere = [await road.send(a_reply(), partition=1) for _ in range(3)]
    running = await road.consume()
    applied = await eventually(road.effects, lambda seen: len(seen) == 6)
    assert sorted(applied) == sorted(before + elsewhere)
    assert (await road.progress(TOPIC))[0] == offset
    await eventually(road.actions, lambda seen: "partition_held" in seen)
    held = [line for line in road.logs if line["event"] == "partition_held"]
    assert held[0]["partition"] == 0
    assert f"offset {offset}" in held[0]["hint"]

    async def degraded() -> bool:
        return bool(running.readiness.degraded)

    await eventually(degraded, bool)

    await road.pool.execute("UPDATE stream_progress SET next_offset = $1 WHERE next_offset = $2", offset + 1, offset)
    assert behind in await eventually(road.effects, lambda seen: len(seen) == 7)


async def compressed(road: Road, values: list[bytes], compression: str) -> int:
    """Produce one compressed batch to partition 0; answers its first offset."""
    async with AIOKafkaProducer(
        bootstrap_servers=road.settings.kafka_bootstrap_servers,
        compression_type=compression,
        max_batch_size=200_000_000,
        max_request_size=200_000_000,
    ) as producer:
        batch = producer.create_batch()
        for value in values:
            batch.append(timestamp=None, key=b"ana", value=value, headers=STRUCTURED)
        sent = await (await producer.send_batch(batch, road.topic(TOPIC), partition=0))
        return int(sent.offset)


async def undecodable(road: Road, partition: int) -> int:
    """Produce a record whose header's name is not UTF-8, which aiokafka itself refuses to write; answers its offset."""
    batch = road.producer.create_batch()
    batch.append(timestamp=None, key=b"ana", value=structured(id="bad"), headers=[*STRUCTURED, ("NAME", b"1")])
    batch.close()
    written = bytearray(batch._build().replace(b"NAME", b"N\xff\xfeE"))
    struct.pack_into(">I", written, 17, calc_crc32c(bytes(written[21:])))
    batch._buffer = written
    sent = await (await road.producer.send_batch(batch, road.topic(TOPIC), partition=partition))
    return int(sent.offset)
