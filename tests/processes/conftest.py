"""The engine's processes as they are deployed: commands of their own, watched from outside."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from cadence_engine.devstack.ports import HOST, free_port
from cadence_engine.devstack.servers import Servers

WITHIN = 30.0


@dataclass
class Command:
    """One running process."""

    process: subprocess.Popen[bytes]
    output: Path
    health: str

    async def says(self, *, ready: bool) -> dict[str, Any]:
        """Wait until the health endpoint says so; answers the whole of it."""
        deadline = time.monotonic() + WITHIN
        said: object = None
        async with aiohttp.ClientSession() as session:
            while time.monotonic() < deadline:
                assert self.process.poll() is None, self.output.read_text()
                try:
                    async with session.get(f"{self.health}/health/ready") as answer:
                        said = await answer.json()
                        if answer.status == (200 if ready else 503):
                            assert isinstance(said, dict)
                            assert said["ready"] is ready
                            return said
                except aiohttp.ClientConnectionError as error:
                    said = error
                await asyncio.sleep(0.05)
        raise AssertionError(f"never said ready={ready}; last: {said}\n{self.output.read_text()}")

    async def logs(self, action: str) -> dict[str, Any]:
        """Wait for a line with this action."""
        deadline = time.monotonic() + WITHIN
        while time.monotonic() < deadline:
            for line in self.lines():
                if line["action"] == action:
                    return line
            assert self.process.poll() is None, self.output.read_text()
            await asyncio.sleep(0.05)
        raise AssertionError(f"never logged {action}:\n{self.output.read_text()}")

    def lines(self) -> list[dict[str, Any]]:
        """What it has written so far, each line being JSON."""
        written = self.output.read_text()
        return [json.loads(line) for line in written[: written.rfind("\n") + 1].splitlines()]

    async def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Ask it to stop; answers its exit code and the seconds that it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        code = await asyncio.to_thread(self.process.wait, WITHIN)
        return code, time.monotonic() - began


class Commands:
    """Starts processes on given servers, each with a health port of its own."""

    def __init__(self, environment: dict[str, str], directory: Path) -> None:
        self.environment = environment
        self._directory = directory
        self._started: list[Command] = []

    def start(self, *arguments: str, **changed: str) -> Command:
        """Run `cadence-engine ARGUMENTS`, with `changed` in its environment."""
        port = free_port()
        output = self._directory / f"{len(self._started)}-{arguments[0]}.log"
        with output.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "cadence_engine", *arguments],
                env={**self.environment, "CADENCE_HEALTH_PORT": str(port), **changed},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._started.append(Command(process, output, f"http://{HOST}:{port}"))
        return self._started[-1]

    async def run(self, *arguments: str, **changed: str) -> tuple[int, str]:
        """Run it to its end; answers its exit code and what it wrote."""
        command = self.start(*arguments, **changed)
        code = await asyncio.to_thread(command.process.wait, WITHIN)
        return code, command.output.read_text()

    def kill_all(self) -> None:
        for command in self._started:
            if command.process.poll() is None:
                command.process.kill()
                command.process.wait()


@pytest.fixture
def commands(servers: Servers, database_url: str, topic_prefix: str, tmp_path: Path) -> Iterator[Commands]:
    """On the session's servers, with a database and topics of this test's own."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CADENCE_")},
        **servers.addresses.as_environment(),
        "DATABASE_URL": database_url,
        "CADENCE_TOPIC_PREFIX": topic_prefix,
        "CADENCE_API_PORT": "0",
        "PYTHONUNBUFFERED": "1",
    }
    commands = Commands(environment, tmp_path)
    yield commands
    commands.kill_all()
