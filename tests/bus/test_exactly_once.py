"""Every record is applied, and once, whatever ends a consumer or takes back a transaction."""

import asyncio
import os
import sys
import time
from datetime import UTC, datetime
from functools import partial

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import OffsetAndMetadata

from cadence_engine.handlers.page import apply_page
from cadence_engine.handlers.received import Page
from tests.bus.conftest import Road, Running, a_reply, an_update, eventually

TOPIC = "message.received"


async def test_the_same_record_a_thousand_times_is_applied_once(road: Road) -> None:
    await road.flood(a_reply(), 1000, event_id="again")
    await road.consume()

    async def read() -> int:
        return sum((await road.progress(TOPIC)).values())

    await eventually(read, lambda seen: seen == 1000)
    assert await road.effects() == ["again"]


async def test_a_killed_consumer_is_followed_from_the_stored_offset(road: Road) -> None:
    sent = [await road.send(a_reply(), partition=n % 2) for n in range(20)]
    first = await (await road.consume(page_records=3)).ready()
    await eventually(road.effects, lambda seen: len(seen) >= 6)
    await first.kill()
    sent += [await road.send(a_reply(), partition=n % 2) for n in range(20)]
    await road.consume()
    applied = await eventually(road.effects, lambda seen: len(seen) >= 40)
    assert sorted(applied) == sorted(sent)


async def test_a_process_that_is_killed_leaves_nothing_half_done(road: Road) -> None:
    environment = os.environ | road.environment() | {"CADENCE_INSTANCE": "pod-0", "CADENCE_PAGE_RECORDS": "5"}
    sent: list[str] = []

    async def produce() -> None:
        for number in range(200):
            sent.append(await road.send(a_reply(f"c{number % 7}"), partition=number % 2))  # noqa: PERF401  # grows

    async def inbox() -> list[str]:
        return [row[0] for row in await road.pool.fetch("SELECT event_id FROM inbox")]

    producing = asyncio.create_task(produce())
    for enough in (1, 100):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cadence_engine", "consumer", env=environment, stdout=asyncio.subprocess.DEVNULL
        )
        await eventually(inbox, partial(_at_least, enough))
        process.kill()
        await process.wait()
    await producing
    road.apply = apply_page  # type: ignore[assignment, method-assign]
    await road.consume(instance="pod-0")
    applied = await eventually(inbox, lambda seen: len(seen) >= len(sent))
    assert sorted(applied) == sorted(sent)
    assert sum((await road.progress(TOPIC)).values()) == len(sent)


def _at_least(enough: int, seen: list[str]) -> bool:
    return len(seen) >= enough


async def test_the_stored_offset_counts_and_not_kafkas_own(road: Road) -> None:
    sent = [await road.send(a_reply(), partition=0) for _ in range(10)]
    partition = TopicPartition(road.topic(TOPIC), 0)
    group = f"{road.settings.topic_prefix}cadence-engine.{TOPIC}"
    async with AIOKafkaConsumer(
        bootstrap_servers=road.settings.kafka_bootstrap_servers, group_id=group, enable_auto_commit=False
    ) as stranger:
        stranger.assign([partition])
        await stranger.commit({partition: OffsetAndMetadata(8, "")})
    await road.consume()
    assert await eventually(road.effects, lambda seen: len(seen) >= 10) == sent


async def test_applied_offsets_are_shown_to_lag_tools(road: Road) -> None:
    running = await (await road.consume()).ready()
    for _ in range(3):
        await road.send(a_reply(), partition=0)
    await eventually(road.effects, lambda seen: len(seen) == 3)
    await running.end()
    client = AIOKafkaAdminClient(bootstrap_servers=road.settings.kafka_bootstrap_servers)
    await client.start()
    shown = await client.list_consumer_group_offsets(f"{road.settings.topic_prefix}cadence-engine.{TOPIC}")
    await client.close()
    assert shown[TopicPartition(road.topic(TOPIC), 0)].offset == 3


async def test_two_consumers_share_the_partitions_and_a_third_takes_over(road: Road) -> None:
    sent: list[str] = []

    async def produce() -> None:
        for number in range(300):
            sent.append(await road.send(a_reply(), partition=number % 2))
            await asyncio.sleep(0.005)

    first = await (await road.consume(page_records=7)).ready()
    producing = asyncio.create_task(produce())
    second = await (await road.consume(page_records=7)).ready()
    await first.kill()
    third = await (await road.consume(page_records=7)).ready()
    await second.end()
    await producing
    applied = await eventually(road.effects, lambda seen: len(seen) >= len(sent))
    assert sorted(applied) == sorted(sent)
    assert not third.task.done()


async def test_a_database_that_was_rolled_back_gets_the_lost_records_again(road: Road) -> None:
    await (await road.consume()).ready()
    sent = [await road.send(a_reply(), partition=0) for _ in range(10)]
    await eventually(road.effects, lambda seen: len(seen) == 10)
    async with road.pool.acquire() as connection, connection.transaction():  # as if restored from after the fourth
        await connection.execute("DELETE FROM effects WHERE n > 4")
        await connection.execute("DELETE FROM inbox WHERE event_id = ANY($1)", sent[4:])
        await connection.execute(
            "UPDATE stream_progress SET next_offset = 4 WHERE topic = $1 AND partition = 0", road.topic(TOPIC)
        )
    sent.append(await road.send(a_reply(), partition=0))
    assert await eventually(road.effects, lambda seen: len(seen) >= 11) == sent
    assert "database_rewound" in await road.actions()


async def test_a_page_that_fails_is_repeated_with_pauses_and_then_applied(road: Road) -> None:
    left = 4

    def fail(page: Page) -> None:
        nonlocal left
        if page.received and left:
            left -= 1
            raise RuntimeError("the handler failed")

    road.fail = fail
    running = await (await road.consume()).ready()
    sent = [await road.send(a_reply(), partition=0) for _ in range(5)]
    assert await eventually(road.effects, lambda seen: len(seen) >= 5) == sent
    pauses = [line["again_in"] for line in road.logs if line["event"] == "page_failed"]
    assert len(pauses) == 4
    assert pauses == sorted(pauses)
    assert await running.end() < 3


async def test_a_page_that_fails_for_ever_neither_spins_nor_stops_the_others(road: Road) -> None:
    attempts: list[float] = []

    def fail(page: Page) -> None:
        if any(one.type == "contact.updated" for one in page.received):
            attempts.append(time.monotonic())
            raise RuntimeError("the handler failed")

    road.fail = fail
    running = await (await road.consume()).ready()
    await road.send(an_update())
    await eventually(road.actions, lambda seen: seen.count("page_failed") >= 4)
    reply = await road.send(a_reply())
    assert await eventually(road.effects, lambda seen: len(seen) == 1) == [reply]
    pauses = [line["again_in"] for line in road.logs if line["event"] == "page_failed"]
    for earlier, later, pause in zip(attempts, attempts[1:], pauses, strict=False):
        assert later - earlier >= 0.9 * pause

    async def said() -> str:
        return running.readiness.blocking.get("consumer", "")

    assert "contact.updated" in await eventually(said, bool)
    assert await running.end() < 3


async def test_a_flood_on_one_topic_does_not_hold_up_a_reply(road: Road) -> None:
    await road.flood(an_update(), 6000)
    await (await road.consume()).ready()
    before = await road.clock()
    reply = await road.send(a_reply())
    await eventually(road.effects, lambda seen: reply in seen)
    assert (await road.clock() - before).total_seconds() < 1.5
    assert len(await road.effects()) < 6000, "the flood was over too soon to prove anything"


async def test_the_real_handler_wakes_and_dead_letters(road: Road) -> None:
    road.apply = apply_page  # type: ignore[assignment, method-assign]
    await road.consume()
    await road.send(a_reply("ana"))
    await road.raw(TOPIC, b"bad")
    await eventually(road.letters, lambda seen: len(seen) == 1)

    async def newest() -> datetime | None:
        value: datetime | None = await road.pool.fetchval("SELECT max(last_inbound_at) FROM contacts")
        return value

    at = await eventually(newest, bool)
    assert at is not None
    assert at < datetime.now(UTC)


async def test_it_waits_for_its_servers_and_ends_while_waiting(road: Road) -> None:
    nobody = await road.consume(kafka_bootstrap_servers="127.0.0.1:9")
    await eventually(road.actions, lambda seen: "kafka_unavailable" in seen)
    assert await nobody.end() < 3
    missing: Running = await road.consume(topic_prefix="nowhere.")
    await eventually(road.actions, lambda seen: "topics_missing" in seen)
    hint = next(line["hint"] for line in road.logs if line["event"] == "topics_missing")
    assert "nowhere.message.received" in hint
    assert "cadence-engine topics create" in hint
    assert await missing.end() < 3
