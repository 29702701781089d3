"""Who leads: one relay at a time, until it gives the lease back, is dead, or was silent for too long."""

import asyncio
import signal

import asyncpg

from cadence_engine.bus.relay.points import OnPoint, Point
from cadence_engine.settings import Settings
from cadence_engine.storage.relay import take_lease
from tests.bus.relay.conftest import Log, Road, StartRelay, relay, until

FOR_EVER = 600.0


async def test_nobody_takes_the_lease_from_a_leader_that_is_there(log: Log, settings: Settings) -> None:
    other = await asyncpg.connect(settings.database_url.get_secret_value())
    try:
        assert await take_lease(log.connection, "one", FOR_EVER)
        assert not await take_lease(other, "another", FOR_EVER)
        assert await take_lease(log.connection, "one", FOR_EVER)
    finally:
        await other.close()


async def test_a_leader_keeps_the_lease_when_it_connects_anew(log: Log, settings: Settings) -> None:
    other = await asyncpg.connect(settings.database_url.get_secret_value())
    try:
        assert await take_lease(other, "one", FOR_EVER)
        assert await take_lease(log.connection, "one", FOR_EVER)
        assert not await take_lease(other, "another", FOR_EVER)
    finally:
        await other.close()


async def test_a_leader_that_is_silent_for_too_long_is_succeeded_though_connected(log: Log, settings: Settings) -> None:
    other = await asyncpg.connect(settings.database_url.get_secret_value())
    try:
        assert await take_lease(log.connection, "one", 0.1)
        await until(lambda: take_lease(other, "another", FOR_EVER), 10)
        assert not await take_lease(log.connection, "one", FOR_EVER)
    finally:
        await other.close()


async def test_a_killed_leader_is_succeeded_at_once_however_long_its_lease(
    log: Log, road: Road, settings: Settings, start_relay: StartRelay
) -> None:
    killed = await start_relay(Point.AFTER_DATABASE_COMMIT, signal.SIGKILL, lease=FOR_EVER)
    await log.write_sends(batches=1)
    assert await killed.ended() == -signal.SIGKILL

    async with relay(settings):
        await log.write_sends(batches=1)
        await until(log.is_published, 10)

    await road.holds_once_and_in_order(log.written)


async def test_a_start_that_takes_longer_than_the_lease_is_not_fenced_by_who_stands_by(
    log: Log, road: Road, settings: Settings
) -> None:
    started: list[str] = []

    async def begun() -> bool:
        return bool(started)

    def slow_start(name: str) -> OnPoint:
        async def on_point(point: Point) -> None:
            if point is Point.PRODUCER_STARTED:
                started.append(name)
                await asyncio.sleep(settings.relay_lease * 2)

        return on_point

    await log.write_sends(batches=2)
    async with relay(settings, slow_start("first")):
        await until(begun)
        async with relay(settings, slow_start("second")):
            await until(log.is_published)

    assert started == ["first"]
    await road.holds_once_and_in_order(log.written)
