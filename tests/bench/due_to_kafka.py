"""Steps from due to visible for a `read_committed` reader of Kafka: two workers, a relay, a consumer for the gate."""

import asyncio
from collections.abc import Sequence
from time import perf_counter

from cadence_engine.devstack.fleet import Consumer, EngineProcess, Relay, Worker
from tests.bench import due, outcome, path, seed
from tests.bench.path import Measured, MeasuredPath
from tests.bench.published import check_kafka, is_published, watching
from tests.bench.rivals import WAYS, race
from tests.bench.stage import Ground, Stage, running
from tests.bench.waiting import until


async def by_engine(stage: Stage, rows: int) -> Measured:
    async with stage.ground(with_topics=True) as ground:
        await seed.cadences(ground.pool)
        async with running(processes(ground)), watching(ground) as watch:
            due_at, started = await due.soon(ground, rows)
            await asyncio.sleep(started - perf_counter())

            async def all_published() -> bool:
                await watch.look()
                return not await due.anything_due(ground, due_at) and await is_published(ground)

            await until(all_published, "all sends published")
            # The database learns of a Kafka commit later than a reader: the first look at the final end tells.
            seconds = await watch.complete_since() - started
            logged = await due.checked(ground, rows)
            published = outcome.of_events(await check_kafka(ground, watch.reader))
        return Measured(rows, seconds, logged, published)


def processes(ground: Ground) -> Sequence[EngineProcess]:
    """The whole engine: the relay, a consumer for the gate, and two workers."""
    environment = ground.environment()
    return [
        Consumer(ground.directory / "consumer", environment),
        Relay(ground.directory / "relay", environment),
        *(Worker(ground.directory / f"worker-{n}", environment) for n in range(2)),
    ]


PATH = MeasuredPath(
    "kafka",
    "due to visible on Kafka",
    by_engine,
    [path.raw(due.by_sql, goal=0.5), *map(race.rival, WAYS.values())],
    "Two workers, relay and consumer share the machine with all servers. Raw is the SQL of due to log, and publishes "
    "nothing; the others publish the same records, each by two processes, and are not held to exactly once.",
)
