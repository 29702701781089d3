"""Each event of the log is on Kafka once, and each contact's in order, whatever happens to the relay."""

import asyncio
import logging
import signal
from collections.abc import Sequence

import pytest

from cadence_contracts import topics
from cadence_engine.bus.relay.points import Point
from cadence_engine.devstack.servers import Servers
from cadence_engine.settings import Settings
from tests.bus.relay.conftest import Log, Road, StartRelay, log_of, publish_all, relay, until


async def test_the_whole_log_is_published(log: Log, road: Road) -> None:
    await log.write_sends(batches=9)

    await publish_all(log)

    await road.holds_once_and_in_order(log.written)
    assert await log.last_mark() == 5, "two batches at a time"


async def test_what_is_written_while_the_relay_runs_is_published(log: Log, road: Road) -> None:
    async with relay(log.settings):
        for _ in range(5):
            await log.write_sends(batches=2)
            await until(log.is_published)

    await road.holds_once_and_in_order(log.written)


@pytest.mark.parametrize("point", Point)
async def test_a_kill_at_any_point_loses_nothing_and_repeats_nothing(
    log: Log, road: Road, start_relay: StartRelay, point: Point
) -> None:
    await log.write_sends(batches=6)
    once_per_start = point in (Point.PRODUCER_STARTED, Point.MARK_SETTLED)
    killed = await start_relay(point, signal.SIGKILL, nth=1 if once_per_start else 2)
    assert await killed.ended() == -signal.SIGKILL

    await publish_all(log)

    await road.holds_once_and_in_order(log.written)
    assert await log.last_mark() == 3


@pytest.mark.parametrize("point", [Point.BEFORE_KAFKA_COMMIT, Point.AFTER_KAFKA_COMMIT])
async def test_a_frozen_relay_that_wakes_up_under_a_rival_repeats_nothing(
    log: Log, road: Road, start_relay: StartRelay, point: Point
) -> None:
    await log.write_sends(batches=6)
    frozen = await start_relay(point, signal.SIGSTOP)
    await frozen.frozen()

    async with relay(log.settings):
        await until(log.is_published)
        frozen.resume()
        await frozen.says("relay_standing_by")
        await log.write_sends(batches=2)
        await until(log.is_published)

    await road.holds_once_and_in_order(log.written)


async def test_two_relays_at_once_publish_once(log: Log, road: Road) -> None:
    async with relay(log.settings), relay(log.settings):
        await log.write_sends(batches=20)
        await until(log.is_published)

    await road.holds_once_and_in_order(log.written)


async def test_two_relays_that_both_believe_to_lead_publish_once(log: Log, road: Road, settings: Settings) -> None:
    """The lease prevents duels, and nothing else rests on it: here everybody takes it all the time."""
    async with log.connection.transaction():
        await log.connection.execute(
            "CREATE FUNCTION nobody_leads() RETURNS trigger LANGUAGE plpgsql AS $$"
            " BEGIN NEW.lease_until = '-infinity'; RETURN NEW; END $$;"
            "CREATE TRIGGER nobody_leads BEFORE UPDATE ON relay_state FOR EACH ROW EXECUTE FUNCTION nobody_leads()"
        )
    async with relay(settings), relay(settings), log_of(settings) as other:
        await asyncio.gather(log.write_sends(batches=15), other.write_sends(batches=15, contacts=3))
        await until(log.is_published, 60)

    await holds_once(road, [event.event_id for event in (*log.written, *other.written)])


async def test_a_relay_that_stops_lets_the_next_one_take_over_at_once(log: Log, road: Road, settings: Settings) -> None:
    patient = settings.model_copy(update={"relay_lease": 600.0})
    async with relay(patient) as stop_first:
        await log.write_sends(batches=2)
        await until(log.is_published)
        async with relay(patient):
            stop_first.set()
            await log.write_sends(batches=2)
            await until(log.is_published, 10)

    await road.holds_once_and_in_order(log.written)


async def test_a_broker_that_freezes_in_the_midst_loses_nothing_and_repeats_nothing(
    log: Log, road: Road, servers: Servers
) -> None:
    kafka = servers.kafka
    assert kafka is not None
    freezing = asyncio.Event()

    async def freeze_once(point: Point) -> None:
        if point is Point.BEFORE_KAFKA_COMMIT and not freezing.is_set():
            freezing.set()
            kafka.pause()
            asyncio.get_running_loop().call_later(7, kafka.resume)

    await log.write_sends(batches=8)
    async with relay(log.settings, freeze_once):
        await until(log.is_published, 60)

    assert freezing.is_set()
    await road.holds_once_and_in_order(log.written)


async def test_a_database_that_restarts_in_the_midst_loses_nothing_and_repeats_nothing(
    log: Log, road: Road, servers: Servers
) -> None:
    postgres = servers.postgres
    assert postgres is not None
    restarted = asyncio.Event()

    async def restart_once(point: Point) -> None:
        if point is Point.AFTER_KAFKA_COMMIT and not restarted.is_set():
            await asyncio.to_thread(postgres.restart)
            restarted.set()

    await log.write_sends(batches=8)
    async with relay(log.settings, restart_once):
        await asyncio.wait_for(restarted.wait(), 60)
        async with log_of(log.settings) as after:
            await until(after.is_published)

    await road.holds_once_and_in_order(log.written)


async def test_batches_that_commit_late_are_published_too(log: Log, road: Road, settings: Settings) -> None:
    async with log_of(settings) as slow, relay(settings):
        async with slow.connection.transaction():
            await slow.write_sends(batches=1, contacts=3)  # draws the smaller id
            await log.write_sends(batches=3)
            await until(log.is_published)
        await until(log.is_published)

    await holds_once(road, [event.event_id for event in (*slow.written, *log.written)])


async def holds_once(road: Road, wanted: Sequence[object]) -> None:
    found = await road.event_ids(topics.OUTBOUND)
    assert len(found) == len(wanted)
    assert set(found) == set(wanted)


async def test_of_many_transactions_none_has_a_request_repeated(
    log: Log, road: Road, caplog: pytest.LogCaptureFixture
) -> None:
    """A repeated request costs the producer: who comes after it starts anew, and all sends wait meanwhile."""
    await log.write_sends(batches=200, contacts=50)

    with caplog.at_level(logging.WARNING, "aiokafka"):
        await publish_all(log)

    assert [record.getMessage() for record in caplog.records if record.name.startswith("aiokafka")] == []
    assert len(await road.event_ids()) == len(log.written)
