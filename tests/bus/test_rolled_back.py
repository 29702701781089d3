"""A database that was rolled back is noticed by who reads, whether or not something arrives."""

from tests.bus.conftest import Road, a_reply, eventually


async def test_what_a_rollback_lost_is_read_again_though_nothing_arrives(road: Road) -> None:
    await (await road.consume()).ready()
    sent = await road.send(a_reply(), partition=0)
    await eventually(road.effects, bool)

    await road.pool.execute("TRUNCATE effects, inbox; UPDATE stream_progress SET next_offset = 0")
    assert await eventually(road.effects, bool) == [sent]
    await road.watermark_passes(await road.clock())
