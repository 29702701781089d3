"""The engine's own processes, each as it is deployed: a command of its own, watched over its health endpoint.

They run behind the same guards as the servers: no Ctrl-C reaches them, and none outlives the process that started them.
"""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

from cadence_engine.devstack.errors import DevstackError
from cadence_engine.devstack.ports import HOST, free_port, is_open
from cadence_engine.devstack.server import Server

ENGINE = (sys.executable, "-P", "-m", "cadence_engine")
HEALTH_ANSWERS_WITHIN = 2.0


class EngineProcess(Server):
    """`cadence-engine NAME` with a health port of its own; its environment is ours and what is given."""

    grace_seconds: ClassVar[float] = 12.0  # more than the ten seconds within which every process ends

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        super().__init__(directory)
        self._given = environment

    def prepare(self) -> None:
        """Nothing to prepare: a process keeps nothing of its own."""

    def configure(self) -> list[str]:
        self.environment = {**self._given, "CADENCE_HEALTH_PORT": str(self.port), "CADENCE_HEALTH_HOST": HOST}
        return [*ENGINE, self.name]

    def answers(self) -> bool:
        if not is_open(self.port):
            return False
        try:
            with urllib.request.urlopen(f"http://{self.address}/health/ready", timeout=HEALTH_ANSWERS_WITHIN):
                return True
        except OSError:  # also the 503 of a process that is not ready
            return False

    @property
    def ended(self) -> bool:
        """Whether it was started and is gone, though nobody stopped it."""
        return self._guard is not None and self._guard.poll() is not None

    @property
    def _way_out(self) -> str:
        return "It is one of the engine's own processes; its log says more."


class Consumer(EngineProcess):
    name: ClassVar[str] = "consumer"


class Worker(EngineProcess):
    name: ClassVar[str] = "worker"


class Relay(EngineProcess):
    name: ClassVar[str] = "relay"


class Api(EngineProcess):
    """Serves at `url`, on a port of its own beside the one for its health."""

    name: ClassVar[str] = "api"

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        super().__init__(directory, environment)
        self._api_port = free_port()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._api_port}"

    def configure(self) -> list[str]:
        command = super().configure()
        self.environment = {**self.environment, "CADENCE_API_HOST": HOST, "CADENCE_API_PORT": str(self._api_port)}
        return command


ENGINE_ALONE = (Consumer, Worker, Relay)
"""What enrolls, sends and publishes."""


class Fleet:
    """All processes of the engine; leaving it as a context stops them. All calls block."""

    def __init__(
        self,
        directory: Path,
        environment: Mapping[str, str],
        kinds: Sequence[type[EngineProcess]] = ENGINE_ALONE,
    ) -> None:
        self.processes: Sequence[EngineProcess] = [kind(directory / kind.name, environment) for kind in kinds]

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start all and wait until each says that it is ready. Raises ServerStartError with the tail of a log."""
        self._all("start")

    def stop(self) -> None:
        """End all, each within ten seconds; one that ended by itself is no error here."""
        self._all("stop")

    def ended(self) -> EngineProcess | None:
        """A process that ended though nobody stopped it."""
        return next((process for process in self.processes if process.ended), None)

    def _all(self, action: str) -> None:
        with ThreadPoolExecutor(len(self.processes)) as pool:
            for done in [pool.submit(getattr(process, action)) for process in self.processes]:
                done.result()


def command(environment: Mapping[str, str], *arguments: str) -> str:
    """Run `cadence-engine ARGUMENTS` to its end; answers what it wrote. Raises DevstackError with its own words."""
    done = subprocess.run(
        [*ENGINE, *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DevstackError(f"`cadence-engine {' '.join(arguments)}` failed:\n{done.stdout}{done.stderr}")
    return done.stdout
