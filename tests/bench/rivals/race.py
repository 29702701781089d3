"""Sets a rival's processes to work on steps that all become due at one instant, and checks what came of it."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from time import perf_counter
from typing import ClassVar, Final

from cadence_contracts import topics
from cadence_engine.devstack.server import Server
from tests.bench import child, due, outcome, seed
from tests.bench.path import Measured, Rival
from tests.bench.published import Told, watching
from tests.bench.rivals import table
from tests.bench.rivals.way import Way
from tests.bench.stage import BenchError, Ground, Stage
from tests.bench.waiting import until

READY: Final = "ready"
NOTICE: Final = timedelta(seconds=2)
COMPLAINT_CHARACTERS: Final = 2_000


class RivalProcess(Server):
    """A process of a rival's; ready when it has connected."""

    name: ClassVar[str] = "rival"

    def __init__(self, ground: Ground, way: Way, number: int) -> None:
        super().__init__(ground.directory / f"{way.name}-{number}")
        self._command = child.command("tests.bench.rivals", way.name, str(number))
        self.environment = ground.environment(**child.search_path())

    def prepare(self) -> None:
        """Nothing to prepare."""

    def configure(self) -> list[str]:
        return self._command

    def answers(self) -> bool:
        return self.log.read_text(encoding="utf-8").startswith(READY)

    @property
    def complaints(self) -> str:
        """What it wrote beside that it is ready."""
        return self.log.read_text(encoding="utf-8").removeprefix(READY).strip()

    @property
    def _way_out(self) -> str:
        return "Its log says more."


def rival(way: Way) -> Rival:
    """The way as a rival on the path from due to visible on Kafka."""

    async def measure(stage: Stage, rows: int) -> Measured:
        async with stage.ground(with_topics=True) as ground:
            return await _measured(ground, way, rows)

    return Rival(way.name, way.what, measure, way.goal, way.rows)


async def _measured(ground: Ground, way: Way, rows: int) -> Measured:
    await seed.cadences(ground.pool)
    await seed.contacts(ground.pool, 0, rows)
    await table.make(ground.pool)
    await way.prepare(ground)
    await seed.settle(ground.pool)
    processes = [RivalProcess(ground, way, number) for number in range(way.processes)]
    async with _running(processes), watching(ground) as watch:
        due_at, started = await due.instant(ground, NOTICE + timedelta(seconds=rows / way.deferred_per_second))
        ids = await table.fill(ground.pool, rows, due_at, processes=way.processes)
        await way.defer(ground, ids, due_at)
        if perf_counter() > started:
            raise BenchError(f"{way.what}: deferring {rows} steps took until they were due: this machine is too busy")
        await asyncio.sleep(started - perf_counter())

        async def all_done() -> bool:
            return await watch.look() >= 2 * rows and await table.moved(ground.pool) == rows

        await until(all_done, f"{way.what}: all steps run")
        seconds = await watch.complete_since() - started
        told = await watch.told()
    _check(way, told, rows)
    return Measured(rows, seconds, published=outcome.of_events(told), repeated=len(told) - 2 * rows)


@contextlib.asynccontextmanager
async def _running(processes: Sequence[RivalProcess]) -> AsyncIterator[None]:
    """All of them, ready; ended at the end. Raises BenchError where one complained meanwhile."""
    try:
        await asyncio.gather(*(asyncio.to_thread(process.start) for process in processes))
        yield
    finally:
        await asyncio.gather(*(asyncio.to_thread(process.stop) for process in processes))
    for process in processes:
        if process.complaints:
            raise BenchError(f"{process.directory.name} complained:\n{process.complaints[:COMPLAINT_CHARACTERS]}")


def _check(way: Way, told: Sequence[Told], rows: int) -> None:
    """Raises BenchError unless each enrollment's send and step event are there, once at least."""
    by_type = Counter(type_ for type_, _ in {(each.type, each.data["enrollmentId"]) for each in told})
    if by_type != {topics.SEND_REQUESTED: rows, topics.STEP_EXECUTED: rows}:
        raise BenchError(f"{way.what}: of {rows} steps, Kafka holds {dict(by_type)}")
