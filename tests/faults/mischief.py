"""Faults drawn from a seed: what is killed, frozen and restarted, and when."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final

from cadence_engine.devstack.errors import DevstackError
from cadence_engine.devstack.server import Server
from tests.faults.crew import KINDS
from tests.faults.world import World

KILL, FREEZE, SERVER = "kill", "freeze", "kill server"
FROZEN_SECONDS: Final = (2.5, 5.0)
"""Longer than the session timeout and the relay's lease of the run, and than PostgreSQL lets a transaction idle."""
LOOK_EVERY: Final = 0.05

Weights = Mapping[tuple[str, str], float]
"""By (what is done, to whom)"""

KILLS_OF_PROCESSES: Final[Weights] = {(KILL, kind): 1.0 for kind in KINDS}
EVERYTHING: Final[Weights] = {
    **{(KILL, kind): 4.0 for kind in KINDS},
    **{(FREEZE, kind): 2.0 for kind in KINDS},
    (SERVER, "valkey"): 1.0,
    (SERVER, "postgres"): 1.0,
    (SERVER, "kafka"): 1.0,
}


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault, `at` seconds after the beginning."""

    at: float
    what: str
    target: str


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
            target = kind if what == SERVER else await self._free(kind)
            self.injected.append(Injected(round(monotonic() - began, 2), what, target))
            self._tell(self.injected[-1])
            if what == SERVER:
                await self._restart(self._server(target))
            else:
                self._start(self._freeze(target) if what == FREEZE else self._kill(target), target)
        await asyncio.gather(*self._repairs)
        await self._look_for_ended()

    async def _kill(self, name: str) -> None:
        await self._around.crew.kill(name)
        await self._around.crew.revive(name)

    async def _freeze(self, name: str) -> None:
        await self._around.crew.freeze(name, self._rng.uniform(*FROZEN_SECONDS))

    async def _restart(self, server: Server) -> None:
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)

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
