"""The engine's processes of a run, several of each kind, and what is done to them."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from cadence_engine.devstack.fleet import Consumer, EngineProcess, Relay, Worker

READY_WITHIN = 180.0
"""Seconds; while others are hurt all the time, and their servers with them, nobody is ready as soon as in peace."""
KINDS: Mapping[str, type[EngineProcess]] = {"consumer": Consumer, "worker": Worker, "relay": Relay}


class Crew:
    """So many of each kind; a process that a fault ended is started again by whoever inflicted it."""

    def __init__(self, directory: Path, environment: Mapping[str, str], size: Mapping[str, int]) -> None:
        self.processes = {
            f"{kind}-{number}": KINDS[kind](directory / f"{kind}-{number}", environment)
            for kind, count in size.items()
            for number in range(1, count + 1)
        }
        for process in self.processes.values():
            process.ready_within_seconds = READY_WITHIN

    async def start(self) -> None:
        await self._all("start")

    async def stop(self) -> None:
        await self._all("stop")

    async def kill(self, name: str) -> None:
        """SIGKILL, and nobody starts it again."""
        await asyncio.to_thread(self.processes[name].kill)

    async def revive(self, name: str) -> None:
        await asyncio.to_thread(self.processes[name].start)

    async def freeze(self, name: str, seconds: float) -> None:
        """SIGSTOP, and SIGCONT so much later."""
        self.processes[name].pause()
        try:
            await asyncio.sleep(seconds)
        finally:
            self.processes[name].resume()

    def ended(self) -> list[str]:
        """Those that ended though nobody stopped them."""
        return [name for name, process in self.processes.items() if process.ended]

    def log(self, name: str) -> str:
        """The end of what a process wrote."""
        return self.processes[name].log_tail()

    async def _all(self, action: str) -> None:
        await asyncio.gather(*(asyncio.to_thread(getattr(each, action)) for each in self.processes.values()))
