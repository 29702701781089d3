"""The planner tells Redis when to look, once per moment, and no further ahead than a minute."""

import asyncio
from datetime import timedelta

import orjson
import pytest

from cadence_engine.health import Readiness
from cadence_engine.scheduling.planner import Planner
from cadence_engine.scheduling.wakeups import Hints, road
from cadence_engine.settings import Settings
from tests.scheduling.conftest import Desk


async def test_it_fills_the_next_minute_however_often_it_looks(desk: Desk) -> None:
    for seconds in (20, 40, 90):
        await desk.due(5, after=timedelta(seconds=seconds))

    for _ in range(2):
        await _plan(desk)

    jobs = await _jobs(desk.settings)
    due = await desk.pool.fetch("SELECT DISTINCT next_run_at FROM cadence_enrollments ORDER BY 1 LIMIT 10")
    assert len(jobs) == 2 <= len(due)
    # A job starts at its bucket's end: after what it is for became due, by less than a quarter of a second.
    for start in jobs.values():
        late = [start - row["next_run_at"].timestamp() for row in due]
        assert any(0 <= seconds < 0.25 for seconds in late)


async def test_several_planners_and_commits_ask_for_one_wakeup(desk: Desk) -> None:
    await desk.due(1, after=timedelta(seconds=20))
    moment = await desk.pool.fetchval("SELECT next_run_at FROM cadence_enrollments")
    async with Hints(desk.settings, Readiness()) as hints:
        await asyncio.gather(*(_plan(desk) for _ in range(3)), *(hints.wake([moment]) for _ in range(3)))
    assert len(await _jobs(desk.settings)) == 1


async def test_redis_holds_no_personal_data_and_nothing_that_runs_as_code(desk: Desk) -> None:
    await desk.due(1, after=timedelta(seconds=20))
    await _plan(desk)
    redis = road.connect(desk.settings)
    (job_id,) = await redis.zrange(road.queue_name(desk.settings), 0, -1)
    job = orjson.loads(await redis.get(f"arq:job:{job_id.decode()}"))
    expires_in = timedelta(milliseconds=await redis.pttl(f"arq:job:{job_id.decode()}"))
    await redis.aclose(close_connection_pool=True)
    bucket, sibling = job["a"]
    assert (job["f"], type(bucket), sibling, job["k"]) == (road.RUN_DUE, int, 0, {})
    assert job_id.decode() == f"{desk.settings.topic_prefix}due:{bucket}"
    assert expires_in < timedelta(seconds=20 + 60 + 1)


async def test_without_redis_a_hint_is_lost_quickly_and_said_once(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    nowhere = desk.settings.model_copy(update={"redis_url": type(desk.settings.redis_url)("redis://127.0.0.1:1")})
    readiness = Readiness()
    moment = await desk.stage.now()
    async with asyncio.timeout(5), Hints(nowhere, readiness) as hints:
        for _ in range(100):
            await hints.wake([moment])
    assert readiness.ready
    assert list(readiness.degraded) == ["hints"]


async def _plan(desk: Desk) -> None:
    async with Hints(desk.settings, Readiness()) as hints:
        assert await Planner(desk.pool, hints).run_once() is False


async def _jobs(settings: Settings) -> dict[bytes, float]:
    """Job ids and when they start, in seconds since 1970."""
    redis = road.connect(settings)
    queued = await redis.zrange(road.queue_name(settings), 0, -1, withscores=True)
    await redis.aclose(close_connection_pool=True)
    return {job: score / 1000 for job, score in queued}
