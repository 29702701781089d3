"""Resident memory of the engine's processes, and what Redis holds, with few and with many live enrollments."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from time import perf_counter

import psutil
from redis.asyncio import Redis

from cadence_engine.devstack.fleet import Consumer, EngineProcess, Relay, Worker
from cadence_engine.scheduling.wakeups import road
from tests.bench import inbound, seed
from tests.bench.stage import BenchError, Ground, Stage, running
from tests.bench.waiting import until

DUE_SOON = 8_000
"""Within the next minute, evenly, whatever the number of enrollments."""
DUE_WITHIN = timedelta(seconds=60)
NEW_CONTACTS = 5_000  # while the steps run, so that the consumer works too
SAMPLED_FOR = 20.0
SAMPLED_EVERY = 0.25
DAYS_LATER = 30
MEBIBYTE = 1024 * 1024


@dataclass(slots=True)
class Memory:
    """The highest of all samples, in MiB for the processes and in bytes for Redis; `wakeups` are jobs in Redis."""

    enrollments: int
    resident_mib: dict[str, float] = field(default_factory=dict)
    redis_idle_bytes: int = 0
    redis_bytes: int = 0
    wakeups: int = 0
    steps_run: int = 0

    def as_json(self) -> Mapping[str, object]:
        return asdict(self)


async def measure(stage: Stage, enrollments: int, tell: seed.Tell | None = None) -> Memory:
    """Run a consumer, a worker and a relay over so many live enrollments, and look at them for some seconds.

    Raises BenchError where no step ran, or new contacts were not enrolled, meanwhile.
    """
    memory = Memory(enrollments)
    async with stage.ground(with_topics=True) as ground:
        await seed.cadences(ground.pool)
        await seed.contacts(ground.pool, 0, enrollments, tell=tell)
        await _seed_later(ground, enrollments, tell)
        await seed.settle(ground.pool)
        processes = [kind(ground.directory / kind.name, ground.environment()) for kind in (Consumer, Worker, Relay)]
        redis = Redis.from_url(ground.settings.redis_url.get_secret_value())
        async with redis:
            memory.redis_idle_bytes = await _used(redis)
            start = datetime.now(UTC) + timedelta(seconds=2)
            apart = DUE_WITHIN.total_seconds() / DUE_SOON
            await seed.enrollments(ground.pool, enrollments - DUE_SOON, enrollments, due=start, apart=apart)
            await seed.settle(ground.pool)
            async with running(processes):
                new = map(seed.contact_created, range(enrollments, enrollments + NEW_CONTACTS))
                async with inbound.held_back(ground, new) as applied:
                    pass
                await _sample(ground, redis, processes, memory)
                await until(applied, "all new contacts enrolled")
            await _check(ground, memory)
            await _forget(redis, ground)
    return memory


async def _seed_later(ground: Ground, enrollments: int, tell: seed.Tell | None) -> None:
    """All but those due soon, spread over the coming month."""
    later = enrollments - DUE_SOON
    apart = timedelta(days=DAYS_LATER).total_seconds() / later
    due = datetime.now(UTC) + timedelta(days=1)
    async with seed.indexed_afterwards(ground.pool, "cadence_enrollments", tell):
        await seed.enrollments(ground.pool, 0, later, due=due, apart=apart, tell=tell)


async def _sample(ground: Ground, redis: Redis, processes: Sequence[EngineProcess], memory: Memory) -> None:
    ends = perf_counter() + SAMPLED_FOR
    while perf_counter() < ends:
        for process in processes:
            resident = psutil.Process(process.pid).memory_info().rss / MEBIBYTE
            memory.resident_mib[process.name] = max(memory.resident_mib.get(process.name, 0.0), round(resident, 1))
        memory.redis_bytes = max(memory.redis_bytes, await _used(redis))
        memory.wakeups = max(memory.wakeups, await redis.zcard(road.queue_name(ground.settings)))
        await asyncio.sleep(SAMPLED_EVERY)


async def _used(redis: Redis) -> int:
    return int((await redis.info("memory"))["used_memory"])


async def _check(ground: Ground, memory: Memory) -> None:
    ran, new, sends = await ground.pool.fetchrow(  # type: ignore[misc]  # an aggregate always answers
        """
        SELECT count(*) FILTER (WHERE step_index > 0), count(*) FILTER (WHERE started_at > now() - interval '1 hour'),
            (SELECT count(DISTINCT event_id) FROM cadence_events WHERE type = 'whatsapp.send.requested')
        FROM cadence_enrollments
        """
    )
    memory.steps_run = ran
    if not ran or sends != ran or new != NEW_CONTACTS:
        raise BenchError(f"{ran} steps ran with {sends} sends, {new} of {NEW_CONTACTS} new contacts were enrolled")
    if not memory.wakeups:
        raise BenchError("no wakeup was ever seen in Redis, though steps were due within the minute")


async def _forget(redis: Redis, ground: Ground) -> None:
    keys = [key async for key in redis.scan_iter(match=f"*{ground.settings.topic_prefix}*", count=1000)]
    if keys:
        await redis.delete(*keys)
