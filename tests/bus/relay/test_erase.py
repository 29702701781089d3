"""An event that is rewritten before it is published is published as rewritten; one on its way stays as it is."""

import asyncio

import orjson

from cadence_contracts import topics
from cadence_engine.bus.relay.points import Point
from cadence_engine.domain.events import STEP_SKIPPED
from cadence_engine.settings import Settings
from cadence_engine.storage.connection import Connection
from tests.bus.relay.conftest import Log, Road, StartRelay, a_send, log_of, publish_all, relay, until

LOCK = "SELECT batch_id FROM event_batches WHERE published_at IS NULL ORDER BY batch_id FOR UPDATE"


async def test_a_rewrite_under_way_is_waited_for(log: Log, road: Road, settings: Settings) -> None:
    await log.write(sent := a_send("ana"))
    erasing = log.connection.transaction()
    await erasing.start()
    assert await log.connection.fetch(LOCK)
    async with relay(settings), log_of(settings) as watching:
        await until(lambda: is_waiting_for_a_lock(watching.connection))
        await erase(log.connection)
        await erasing.commit()
        await until(log.is_published)

    assert await road.records(topics.OUTBOUND) == []
    assert await road.event_ids(topics.EVENTS) == [sent.event_id]


async def test_what_is_on_its_way_is_not_rewritten(log: Log, road: Road, settings: Settings) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def hold(point: Point) -> None:
        if point is Point.BEFORE_KAFKA_COMMIT:
            reached.set()
            await go_on.wait()

    await log.write(sent := a_send("ana"))
    async with relay(settings, hold), log_of(settings) as watching:
        await reached.wait()
        async with log.connection.transaction():
            erasing = asyncio.create_task(log.connection.fetch(LOCK))
            await until(lambda: is_waiting_for_a_lock(watching.connection))
            go_on.set()
            assert await erasing == [], "nothing of it is unpublished any more"

    assert await road.event_ids() == [sent.event_id]


async def test_a_rewrite_between_kafkas_commit_and_a_crash_neither_repeats_nor_wedges(
    log: Log, road: Road, start_relay: StartRelay
) -> None:
    await log.write(sent := a_send("ana"))
    killed = await start_relay(Point.AFTER_KAFKA_COMMIT)
    await killed.ended()
    await erase(log.connection)

    await publish_all(log)

    assert await road.event_ids() == [sent.event_id]
    assert await road.records(topics.EVENTS) == []


async def erase(connection: Connection) -> None:
    await connection.execute(
        "UPDATE cadence_events SET type = $1, data = $2::text::jsonb",
        STEP_SKIPPED,
        orjson.dumps({"erased": 1}).decode(),
    )


async def is_waiting_for_a_lock(connection: Connection) -> bool:
    waiting = await connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return bool(waiting)
