"""Faults drawn from a seed: what is killed, frozen, cut off and restarted, and when."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from time import monotonic
from typing import Final

import asyncpg
from redis.asyncio import Redis

from cadence_engine.devstack.errors import DevstackError
from cadence_engine.devstack.server import Server
from tests.faults.crew import KINDS
from tests.faults.world import World


class Fault(StrEnum):
    """What is done; to one of the engine's processes, to a server, or to what all processes of a kind have open."""

    KILL = "kill"
    FREEZE = "freeze"
    TERMINATE = "terminate"
    CUT_OFF = "cut off"
    KILL_SERVER = "kill server"
    FLUSH = "flush"


ONE_PROCESS: Final = (Fault.KILL, Fault.FREEZE, Fault.TERMINATE)
FROZEN_SECONDS: Final = (2.5, 5.0)
"""Longer than the session timeout and the relay's lease of the run, and than PostgreSQL lets a transaction idle."""
LOOK_EVERY: Final = 0.05

Weights = Mapping[tuple[Fault, str], float]
"""By (what is done, to whom)"""

KILLS_OF_PROCESSES: Final[Weights] = {(Fault.KILL, kind): 1.0 for kind in KINDS}
EVERYTHING: Final[Weights] = {
    # Whenever a consumer dies, the gate holds until its partitions are read again: more of it, and little is sent.
    (Fault.KILL, "consumer"): 4.0,
    (Fault.KILL, "worker"): 10.0,
    (Fault.KILL, "relay"): 10.0,
    **{(Fault.FREEZE, kind): 0.7 for kind in KINDS},
    **{(Fault.TERMINATE, kind): 0.7 for kind in KINDS},
    **{(Fault.CUT_OFF, kind): 0.7 for kind in KINDS},
    (Fault.FLUSH, "valkey"): 0.5,
    (Fault.KILL_SERVER, "valkey"): 0.5,
    (Fault.KILL_SERVER, "postgres"): 0.5,
    (Fault.KILL_SERVER, "kafka"): 0.5,
}


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault, `at` seconds after the beginning."""

    at: float
    what: Fault
    target: str
    moment: datetime

    @property
    def kind(self) -> str:
        """What it was done to, whichever of several."""
        return self.target.rpartition("-")[0] or self.target


Tell = Callable[[Injected], None]


class Mischief:
    """Inflicts faults on a world. What a fault ends is started again at once, while others may be hurt."""

    def __init__(self, around: World, seed: int, weights: Weights, tell: Tell) -> None:
        self._around = around
        self._rng = random.Random(seed)
        self._weights = weights
        self._tell = tell
        self._busy: set[str] = set()
        self._repairs: set[asyncio.Task[None]] = set()
        self.injected: list[Injected] = []
        self.found_ended: list[str] = []
        """Processes that ended though nobody had hurt them, each with the end of its log."""

    async def run(self, faults: int, seconds: float) -> None:
        """So many faults over about so many seconds; returns when all is repaired. Raises what a repair raised."""
        began = monotonic()
        for number in range(faults):
            at = (number + self._rng.uniform(0.1, 0.9)) * seconds / faults
            await asyncio.sleep(max(0.0, began + at - monotonic()))
            await self._look_for_ended()
            what, kind = self._rng.choices(list(self._weights), list(self._weights.values()))[0]
            target = await self._free(kind) if what in ONE_PROCESS else kind
            self.injected.append(Injected(round(monotonic() - began, 2), what, target, datetime.now(UTC)))
            self._tell(self.injected[-1])
            await self._inflict(what, target)
        await asyncio.gather(*self._repairs)
        await self._look_for_ended()

    async def _inflict(self, what: Fault, target: str) -> None:
        match what:
            case Fault.KILL:
                self._start(self._kill(target), target)
            case Fault.FREEZE:
                self._start(self._around.crew.freeze(target, self._rng.uniform(*FROZEN_SECONDS)), target)
            case Fault.TERMINATE:
                self._start(asyncio.to_thread(self._around.crew.processes[target].restart), target)
            case Fault.KILL_SERVER:
                await self._restart(self._server(target))
            case Fault.CUT_OFF:
                await self._cut_off(target)
            case Fault.FLUSH:
                await self._flush()

    async def _kill(self, name: str) -> None:
        await self._around.crew.kill(name)
        await self._around.crew.revive(name)

    async def _restart(self, server: Server) -> None:
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)

    async def _cut_off(self, kind: str) -> None:
        """End all sessions that processes of a kind have with PostgreSQL, whatever they are in the midst of."""
        connection = await asyncpg.connect(self._around.environment["DATABASE_URL"])
        try:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = $1",
                f"cadence-engine {kind}",
            )
        finally:
            await connection.close()

    async def _flush(self) -> None:
        async with Redis.from_url(self._around.environment["REDIS_URL"]) as valkey:
            await valkey.flushall()

    def _start(self, repair: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.ensure_future(repair)
        self._busy.add(name)
        self._repairs.add(task)
        task.add_done_callback(lambda _: self._busy.discard(name))

    async def _free(self, kind: str) -> str:
        """One of a kind that is not being hurt or repaired just now."""
        names = [name for name in self._around.crew.processes if name.startswith(kind)]
        while not (free := [name for name in names if name not in self._busy]):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_EVERY)
        return self._rng.choice(free)

    async def _look_for_ended(self) -> None:
        for repair in self._repairs:
            if repair.done():
                repair.result()  # what could not be started again, and why
        for name in self._around.crew.ended():
            if name not in self._busy:
                self.found_ended.append(f"{name} ended by itself:\n{self._around.crew.log(name)}")
                await asyncio.to_thread(self._around.crew.processes[name].restart)

    def _server(self, name: str) -> Server:
        server: Server | None = getattr(self._around.servers, name)
        if server is None:
            raise DevstackError(f"{name} is not an embedded server of this run: it may not be killed")
        return server


async def cancel_some(around: World, seed: int, count: int, seconds: float) -> None:
    """As an operator, end some enrollments by command, at moments drawn from the seed."""
    rng = random.Random(seed)
    for _ in range(count):
        await asyncio.sleep(rng.uniform(0.5, 1.5) * seconds / count)
        started: Sequence[tuple[str, str]] = [
            (record.data["enrollmentId"], record.data["companyId"])
            for record in around.told("cadence.enrollment.started")[-10:]
        ]
        if started:
            await around.cancel(*rng.choice(started))
