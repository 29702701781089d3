"""What a million steps cost: processor time of the engine and of PostgreSQL, and bytes of write-ahead log."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import psutil

from cadence_engine.devstack.fleet import EngineProcess
from cadence_engine.devstack.guard import process_tree
from cadence_engine.storage.connection import Connection
from tests.bench import due, due_to_kafka, due_to_log, raw, seed
from tests.bench.published import is_published
from tests.bench.scenarios import crowd
from tests.bench.scenarios.scenario import Finding, Scenario, Tell
from tests.bench.stage import BenchError, Ground, Stage, running
from tests.bench.waiting import until

LOOK_EVERY = 0.1  # each look costs, too
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Size:
    steps: int = 100_000


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of processor time, and bytes."""

    engine: float
    postgres: float
    wal: int

    def since(self, before: "Spent") -> "Spent":
        return Spent(self.engine - before.engine, self.postgres - before.postgres, self.wal - before.wal)


class Meter:
    """Reads what was spent so far by the engine's processes, which run, and by the embedded PostgreSQL."""

    def __init__(self, stage: Stage, ground: Ground, processes: Sequence[EngineProcess]) -> None:
        if stage.servers.postgres is None:
            raise BenchError("the costs of a PostgreSQL of yours cannot be seen: unset DATABASE_URL")
        self._postgres = stage.servers.postgres.pid
        self._ground = ground
        self._processes = processes

    async def read(self) -> Spent:
        wal = await self._ground.pool.fetchval("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")
        engine = sum(_seconds(process) for each in self._processes for process in process_tree(each.pid))
        return Spent(engine, sum(map(_seconds, process_tree(self._postgres))), int(wal))


async def measure(stage: Stage, tell: Tell, size: Size) -> Sequence[Finding]:
    findings: list[Finding] = []
    for what, spend in (("due to log", _to_log), ("due to Kafka", _to_kafka), ("raw SQL", _by_sql)):
        spent = await spend(stage, size.steps)
        millions = size.steps / 1_000_000
        tell(f"{what}: {spent.engine + spent.postgres:.1f} s of processor time for {size.steps:,} steps")
        if spent.engine:
            findings.append(Finding(f"{what}: processor time of the engine", spent.engine / millions, "s/million"))
        findings += [
            Finding(f"{what}: processor time of PostgreSQL", spent.postgres / millions, "s/million"),
            Finding(f"{what}: write-ahead log", spent.wal / millions / MEBIBYTE, "MiB/million"),
        ]
    return findings


async def _to_log(stage: Stage, steps: int) -> Spent:
    async with stage.ground() as ground:
        processes = due_to_log.workers(ground)
        async with due_to_log.rising_watermark(ground), running(processes):
            return await _by_engine(Meter(stage, ground, processes), ground, steps)


async def _to_kafka(stage: Stage, steps: int) -> Spent:
    async with stage.ground(with_topics=True) as ground:
        processes = due_to_kafka.processes(ground)
        async with running(processes):
            return await _by_engine(Meter(stage, ground, processes), ground, steps, published=True)


async def _by_engine(meter: Meter, ground: Ground, steps: int, *, published: bool = False) -> Spent:
    await seed.cadences(ground.pool)
    due_at, started = await due.soon(ground, steps)
    await asyncio.sleep(started - perf_counter())
    before = await meter.read()

    async def done() -> bool:
        return not await due.anything_due(ground, due_at) and (not published or await is_published(ground))

    await until(done, "all due steps run", every=LOOK_EVERY)
    spent = (await meter.read()).since(before)
    await due.checked(ground, steps)
    return spent


async def _by_sql(stage: Stage, steps: int) -> Spent:
    async with stage.ground() as ground:
        await seed.cadences(ground.pool)
        await seed.contacts(ground.pool, 0, steps)
        due_at = await crowd.now(ground)
        await seed.enrollments(ground.pool, 0, steps, due=due_at)
        await seed.settle(ground.pool)

        async def portion(connection: Connection) -> bool:
            async with connection.transaction():
                return bool(await connection.fetchval(due.RUN_DUE, due_at, ground.settings.claim_rows))

        meter = Meter(stage, ground, ())
        before = await meter.read()
        await raw.race(ground, portion)
        spent = (await meter.read()).since(before)
        await due.checked(ground, steps)
        return spent


def _seconds(process: psutil.Process) -> float:
    """Its own, and that of its children that have ended."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0  # its parent has counted it
    return float(times.user + times.system + times.children_user + times.children_system)


def scenario(size: Size = Size()) -> Scenario:
    return Scenario("costs", "what a million steps cost", lambda stage, tell: measure(stage, tell, size))
