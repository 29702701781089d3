"""Offsets that are not those of records: transaction markers, what was deleted, partitions that are new."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewPartitions, RecordsToDelete
from aiokafka.structs import TopicPartition

from cadence_contracts import write_record
from cadence_engine.bus import holds, topics
from tests.bus.conftest import PARTITIONS, Road, a_reply, eventually

TOPIC = "message.received"


async def test_aborted_records_are_passed_over_and_markers_move_progress(road: Road) -> None:
    await (await road.consume()).ready()
    record = write_record(a_reply(), id="aborted", source="/tests")
    async with AIOKafkaProducer(
        bootstrap_servers=road.settings.kafka_bootstrap_servers, transactional_id=f"{road.settings.topic_prefix}t"
    ) as upstream:
        await upstream.begin_transaction()
        for _ in range(3):
            await upstream.send_and_wait(road.topic(TOPIC), record.value, headers=record.headers, partition=0)
        await upstream.abort_transaction()
        aborted = await road.clock()
        await upstream.begin_transaction()
        record = write_record(a_reply(), id="committed", source="/tests")
        await upstream.send_and_wait(road.topic(TOPIC), record.value, headers=record.headers, partition=0)
        await upstream.commit_transaction()
    assert await eventually(road.effects, bool) == ["committed"]

    async def next_offset() -> int:
        return (await road.progress(TOPIC))[0]

    assert await eventually(next_offset, lambda seen: seen == 6) == 6  # 3 aborted, marker, 1 committed, marker
    await road.watermark_passes(aborted)


async def test_an_open_transaction_upstream_holds_the_watermark(road: Road) -> None:
    await (await road.consume()).ready()
    record = write_record(a_reply(), id="open", source="/tests")
    async with AIOKafkaProducer(
        bootstrap_servers=road.settings.kafka_bootstrap_servers, transactional_id=f"{road.settings.topic_prefix}t"
    ) as upstream:
        await upstream.begin_transaction()
        await upstream.send_and_wait(road.topic(TOPIC), record.value, headers=record.headers, partition=0)
        acknowledged = await road.clock()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await road.watermark_passes(acknowledged)
        await upstream.commit_transaction()
    await road.watermark_passes(acknowledged)
    assert await road.effects() == ["open"]


async def test_a_deleted_offset_is_never_jumped_over_silently(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holds, "SECONDS", 1.0)
    running = await (await road.consume()).ready()
    await road.send(a_reply(), partition=0)
    await eventually(road.effects, lambda seen: len(seen) == 1)
    await running.end()
    for _ in range(4):
        await road.send(a_reply(), partition=0)
    async with topics.admin(road.settings) as admin:
        await admin.delete_records({TopicPartition(road.topic(TOPIC), 0): RecordsToDelete(before_offset=3)})

    lost = await road.clock()
    await road.consume()
    await eventually(road.actions, lambda seen: "partition_held" in seen)
    elsewhere = await road.send(a_reply(), partition=1)
    await eventually(road.effects, lambda seen: elsewhere in seen)
    assert len(await road.effects()) == 2
    assert await road.watermark() < lost
    hint = next(line["hint"] for line in road.logs if line["event"] == "partition_held")
    assert "stream_progress" in hint

    await road.pool.execute("DELETE FROM stream_progress WHERE topic = $1 AND partition = 0", road.topic(TOPIC))
    await eventually(road.effects, lambda seen: len(seen) == 4)
    await road.watermark_passes(lost)


async def test_a_topic_that_was_made_anew_holds_the_gate(road: Road) -> None:
    await road.pool.execute("INSERT INTO stream_progress VALUES ($1, 0, 1000)", road.topic(TOPIC))
    started = await road.clock()
    await road.consume()
    await eventually(road.actions, lambda seen: {"partition_held", "progress_beyond_log"} <= set(seen))
    assert await road.watermark() < started


async def test_a_new_partition_holds_the_watermark_until_it_is_covered(road: Road) -> None:
    running = await (await road.consume()).ready()
    await road.watermark_passes(await road.clock())
    await running.end()
    async with topics.admin(road.settings) as admin:
        await admin.create_partitions({road.topic(TOPIC): NewPartitions(PARTITIONS + 1)})
    await (await road.consume()).ready()
    await road.watermark_passes(await road.clock())

    async with topics.admin(road.settings) as admin:
        await admin.create_partitions({road.topic(TOPIC): NewPartitions(PARTITIONS + 2)})

    async def known() -> bool:
        await road.producer.client.force_metadata_update()
        return PARTITIONS + 1 in (await road.producer.partitions_for(road.topic(TOPIC)))

    await eventually(known, bool)
    sent = await road.send(a_reply(), partition=PARTITIONS + 1)
    acknowledged = await road.clock()
    await road.watermark_passes(acknowledged)
    assert await road.effects() == [sent]
