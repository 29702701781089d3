"""docker-compose.yml brought to life without containers: its commands and variables, on the servers of the tests."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from cadence_engine.devstack.ports import free_port
from cadence_engine.devstack.servers import Servers
from tests.deploy.composition import Service, of_the_engine, seconds
from tests.deploy.go_tools import GoMissing, names, tool

WITHIN: Final = 60.0


@dataclass
class Composed:
    """The engine's services by name; each gets a health port of its own, as they share one host here."""

    addresses: dict[str, str]
    directory: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ports: dict[str, str] = field(default_factory=dict)

    def start(self, name: str) -> None:
        """Start a service; its output goes to a file."""
        service = of_the_engine()[name]
        self.ports[name] = str(free_port())
        environment = {
            **service["environment"],
            **self.addresses,
            "CADENCE_HEALTH_PORT": self.ports[name],
            "CADENCE_API_PORT": "0",  # any that is free
        }
        with self._log(name).open("wb") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", "cadence_engine", *service["command"]],
                env={"PATH": os.environ["PATH"], **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def run(self, name: str) -> str:
        """Run a service that ends by itself; answers what it said."""
        self.start(name)
        code = self.running[name].wait(WITHIN)
        assert code == 0, self.said(name)
        return self.said(name)

    def is_healthy(self, name: str) -> bool:
        """Do once what the file has as this service's check."""
        service = of_the_engine()[name]
        kind, program, *arguments = service["healthcheck"]["test"]
        assert (kind, program) == ("CMD", "python")
        check = [part.replace(service["environment"]["CADENCE_HEALTH_PORT"], self.ports[name]) for part in arguments]
        timeout = seconds(service["healthcheck"]["timeout"])
        return subprocess.run([sys.executable, *check], capture_output=True, timeout=timeout).returncode == 0

    def wait_until_healthy(self, name: str) -> None:
        """Return when the check is good. Raises AssertionError when the service ends, or takes too long."""
        deadline = time.monotonic() + WITHIN
        while not self.is_healthy(name):
            assert self.running[name].poll() is None, self.said(name)
            assert time.monotonic() < deadline, self.said(name)

    def stop(self, name: str) -> int:
        """Stop a service as Compose does; answers its exit code. Raises TimeoutExpired where Compose would kill it."""
        self.running[name].send_signal(signal.SIGTERM)
        return self.running[name].wait(_grace(of_the_engine()[name]))

    def said(self, name: str) -> str:
        """What the service has written so far."""
        return self._log(name).read_text()

    def _log(self, name: str) -> Path:
        return self.directory / f"{name}.log"


def _grace(service: Service) -> int:
    return seconds(service["stop_grace_period"])


@pytest.fixture
def composed(servers: Servers, database_url: str, topic_prefix: str, tmp_path: Path) -> Iterator[Composed]:
    """None of the services runs yet."""
    addresses = {
        **servers.addresses.as_environment(),
        "DATABASE_URL": database_url,
        "CADENCE_TOPIC_PREFIX": topic_prefix,
    }
    composed = Composed(addresses, tmp_path)
    yield composed
    for process in composed.running.values():
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def go_tools() -> None:
    """Tests that ask for it are skipped where there is no Go to build the tools with."""
    try:
        for name in names():
            tool(name)
    except GoMissing as missing:
        pytest.skip(str(missing))
