"""A database that is not the one that wrote the mark stops the relay, and the operator decides which side to trust."""

import pytest

from cadence_engine.bus.relay.errors import HistoryMismatch, LeaseTaken, RelayError
from cadence_engine.bus.relay.points import Point
from cadence_engine.bus.relay.resolve import Trust, resolve
from cadence_engine.settings import Settings
from tests.bus.relay.conftest import (
    BackUp,
    Log,
    Road,
    StartRelay,
    a_send,
    log_of,
    make_topics,
    publish_all,
    relay,
    run_until_it_ends,
    until,
)


async def test_the_first_start_on_an_empty_kafka_is_no_mismatch(log: Log, road: Road) -> None:
    picture = await resolve(log.settings)

    assert picture.mismatch is None
    assert picture.mark is None
    await log.write(a_send("ana"))
    await publish_all(log)


async def test_a_crash_after_kafkas_commit_is_no_mismatch(log: Log, road: Road, start_relay: StartRelay) -> None:
    await log.write_sends(batches=2)
    killed = await start_relay(Point.AFTER_KAFKA_COMMIT)
    await killed.ended()

    assert (await resolve(log.settings, Trust.DATABASE)).mismatch is None
    await publish_all(log)
    await road.holds_once_and_in_order(log.written)


async def test_a_restored_database_stops_the_relay(back_up: BackUp, settings: Settings, road: Road) -> None:
    restored = await a_restored_database(back_up, settings)

    with pytest.raises(HistoryMismatch, match=r"mark is 3, the database's 1\. .*relay resolve --trust database"):
        await run_until_it_ends(restored)


async def test_a_restored_database_whose_next_batches_are_others_stops_the_relay(
    back_up: BackUp, settings: Settings, road: Road
) -> None:
    restored = await a_restored_database(back_up, settings, lost_transactions=1)
    async with log_of(restored) as log:
        await log.write_sends(batches=2)

    with pytest.raises(HistoryMismatch, match="one ahead of the database's, but of events that"):
        await run_until_it_ends(restored)


async def test_a_swapped_database_with_as_many_transactions_stops_the_relay(
    back_up: BackUp, settings: Settings, road: Road, topic_prefix: str
) -> None:
    empty = await back_up(settings)
    async with log_of(settings) as log:
        await log.write_sends(batches=2)
        await publish_all(log)
    elsewhere = empty.model_copy(update={"topic_prefix": f"{topic_prefix}other."})
    await make_topics(elsewhere, {})
    async with log_of(elsewhere) as other:
        await other.write_sends(batches=2)
        await publish_all(other)

    with pytest.raises(HistoryMismatch, match="are both 1, but of different events"):
        await run_until_it_ends(empty)


async def test_a_missing_mark_stops_the_relay_and_the_database_can_be_trusted(
    log: Log, road: Road, topic_prefix: str
) -> None:
    await log.write_sends(batches=2)
    await publish_all(log)
    expired = log.settings.model_copy(update={"topic_prefix": f"{topic_prefix}expired."})
    await make_topics(expired, {})

    with pytest.raises(HistoryMismatch, match="Kafka has no mark, the database's is 1"):
        await run_until_it_ends(expired)
    with pytest.raises(RelayError, match="--trust database"):
        await resolve(expired, Trust.KAFKA)
    await resolve(expired, Trust.DATABASE)

    await log.write(late := a_send("ana"))
    await publish_all(log, expired)
    assert await Road(expired).event_ids() == [late.event_id]


async def test_trusting_the_database_publishes_all_that_it_holds(
    back_up: BackUp, settings: Settings, road: Road
) -> None:
    restored = await a_restored_database(back_up, settings)
    before = await road.event_ids()

    picture = await resolve(restored, Trust.DATABASE)

    assert picture.mismatch
    assert (picture.unpublished, picture.passed_over) == (4, 4)
    async with log_of(restored) as log:
        await log.write(new := a_send("new"))
        await publish_all(log)
    found = await road.event_ids()
    assert new.event_id in found
    assert len(found) == len(before) + 4 * 5 + 1, "what both histories hold is there twice"
    assert set(found) == {*before, new.event_id}


async def test_trusting_kafka_repeats_nothing(back_up: BackUp, settings: Settings, road: Road) -> None:
    restored = await a_restored_database(back_up, settings)
    before = await road.event_ids()

    await resolve(restored, Trust.KAFKA)

    async with log_of(restored) as log:
        assert await log.last_mark() == 3
        await log.write(new := a_send("new"))
        await publish_all(log)
    assert sorted(await road.event_ids()) == sorted([*before, new.event_id])


async def test_nothing_is_resolved_under_a_relay_that_publishes(log: Log, road: Road) -> None:
    await log.write_sends(batches=2)
    async with relay(log.settings):
        await until(log.is_published)
        with pytest.raises(LeaseTaken, match="stop it first"):
            await resolve(log.settings, Trust.DATABASE)


async def a_restored_database(back_up: BackUp, settings: Settings, lost_transactions: int = 2) -> Settings:
    """A database as it was before the relay's last transactions; the original is gone. One transaction is older."""
    async with log_of(settings) as log:
        await log.write_sends(batches=2)
        await publish_all(log)
        if lost_transactions > 1:
            await log.write_sends(batches=2 * lost_transactions)
    backup = await back_up(settings)
    async with log_of(settings) as log:
        if lost_transactions == 1:
            await log.write_sends(batches=2)
        await publish_all(log)
    return backup
