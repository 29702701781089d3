"""The watermark is never ahead of a record that is not applied, and close behind the clock otherwise."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from cadence_engine.bus import topics
from cadence_engine.bus.watermark import PENDING_AT_MOST, LogEnds, Pending, Sample, Watermark
from cadence_engine.storage import watermark
from tests.bus.conftest import Road, a_reply

T0 = datetime(2026, 3, 1, tzinfo=UTC)


async def test_it_never_passes_an_acknowledged_reply_that_is_not_applied(road: Road) -> None:
    acknowledged: dict[str, datetime] = {}
    looks: set[datetime] = set()

    async def produce() -> None:
        while True:
            sent = await road.send(a_reply(), partition=len(acknowledged) % 2)
            acknowledged[sent] = await road.clock()

    async def look() -> None:
        while True:
            known = dict(acknowledged)
            row = await road.pool.fetchrow(
                "SELECT greatest(watermark, 'epoch'), ARRAY(SELECT event_id FROM effects) FROM reply_gate"
            )  # one statement: one snapshot
            assert row is not None
            missed = {sent for sent, at in known.items() if at <= row[0]} - set(row[1])
            assert not missed, f"the watermark {row[0]} passed {len(missed)} replies"
            looks.add(row[0])
            await asyncio.sleep(0.002)

    async def moved_on() -> None:
        seen = len(looks)
        while len(looks) < seen + 4:
            assert not looking.done(), looking.exception()
            await asyncio.sleep(0.002)

    looking = asyncio.create_task(look())
    producing = asyncio.create_task(produce())
    first = await (await road.consume(page_records=5)).ready()
    await asyncio.wait_for(moved_on(), 30)
    await first.kill()
    await (await road.consume(page_records=5)).ready()
    await asyncio.wait_for(moved_on(), 30)
    await stopped(producing)
    await road.watermark_passes(max(acknowledged.values()))
    assert set(acknowledged) <= set(await road.effects())
    await stopped(looking)


async def stopped(task: asyncio.Task[None]) -> None:
    """End a task that would go on for ever; if it failed before, so does the test."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_it_follows_the_clock_closely_when_nothing_happens(road: Road) -> None:
    await (await road.consume()).ready()
    await road.watermark_passes(await road.clock())
    lags = []
    for _ in range(50):
        lags.append(await road.pool.fetchval("SELECT clock_timestamp() - watermark FROM reply_gate"))
        await asyncio.sleep(0.01)
    assert sorted(lags)[25] < timedelta(milliseconds=300)


async def test_it_stays_while_no_partition_has_progress(road: Road) -> None:
    async with road.pool.acquire() as connection, LogEnds(road.settings) as ends:
        loop = Watermark(connection, ends, topics.gate(road.settings))
        assert await loop.run_once() is None
        everything = await ends.read()
        assert len(everything) == 2 * len(topics.gate(road.settings))
        for topic, partition in list(everything)[:-1]:
            await connection.execute("INSERT INTO stream_progress VALUES ($1, $2, 0)", topic, partition)
        assert await loop.run_once() is None
        topic, partition = list(everything)[-1]
        await connection.execute("INSERT INTO stream_progress VALUES ($1, $2, 0)", topic, partition)
        raised = await loop.run_once()
    assert raised == await road.watermark()


async def test_the_database_itself_refuses_what_it_does_not_hold(road: Road) -> None:
    async with road.pool.acquire() as connection:
        await connection.execute("INSERT INTO stream_progress VALUES ('t', 0, 5)")
        await watermark.raise_to(connection, T0, {("t", 0): 6})
        await watermark.raise_to(connection, T0, {("t", 0): 5, ("t", 1): 0})
        assert await road.watermark() < T0
        await watermark.raise_to(connection, T0, {("t", 0): 5})
        assert await road.watermark() == T0
        await watermark.raise_to(connection, T0 - timedelta(seconds=1), {("t", 0): 5})
        assert await road.watermark() == T0


def test_pending_samples_do_not_starve_under_load_and_stay_few() -> None:
    pending = Pending()
    for number in range(10 * PENDING_AT_MOST):
        pending.add(Sample(T0 + timedelta(seconds=number), {("t", 0): number}))
    assert len(pending) <= PENDING_AT_MOST
    covered = pending.take_covered({("t", 0): 1000})
    assert covered is not None
    assert covered.ends[("t", 0)] <= 1000
    assert pending.take_covered({("t", 0): 1000}) is None
    assert pending.take_covered({}) is None
