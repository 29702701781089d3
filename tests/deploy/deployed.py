"""A pod of the chart brought to life without a cluster: its variables, command, probes and end, on this machine."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final, NamedTuple

import cadence_contracts
import cadence_engine
from cadence_engine.devstack.ports import HOST, free_port
from tests.deploy.chart import Pod, Values, pods, resources, secrets

PACKAGES: Final = [str(Path(str(package.__file__)).parents[1]) for package in (cadence_engine, cadence_contracts)]
RUNNER: Final = Path(__file__).parent / "read_only.py"
OF_THE_IMAGE: Final = {"PYTHONDONTWRITEBYTECODE": "1"}  # and neither a home nor anything else of this environment
WITHIN: Final = 60.0


class Answered(NamedTuple):
    """What was told over HTTP."""

    status: int
    text: str

    @property
    def body(self) -> dict[str, Any]:
        """Where it is JSON."""
        read: dict[str, Any] = json.loads(self.text)
        return read

    @property
    def good(self) -> bool:
        """As the kubelet judges it."""
        return 200 <= self.status < 400


class Deployed:
    """One pod. Its ports are free ones of this machine: by values, nothing of what is rendered is changed.

    `keys` are what Secrets that exist already hold, by name; `mounted` is where a mount's files lie on this machine.
    """

    def __init__(
        self,
        part: str,
        values: Values,
        directory: Path,
        *,
        keys: Mapping[str, Mapping[str, str]] | None = None,
        mounted: Mapping[str, Path] | None = None,
    ) -> None:
        health, api = free_port(), free_port()
        found = resources(
            values={**values, "health": {"host": HOST, "port": health}, "api": {**values.get("api", {}), "port": api}}
        )
        self.pod: Pod = pods(found)[part]
        self.environment = self.pod.environment({**secrets(found), **(keys or {})})
        for mount, place in (mounted or {}).items():
            assert mount in self.pod.mounts
            self.environment = {
                name: value.replace(f"{mount}/", f"{place}/") for name, value in self.environment.items()
            }
        self._log = directory / f"{part}-{health}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, str(RUNNER), json.dumps(PACKAGES), json.dumps(self.pod.mounts)),
                    *self.pod.container["args"],
                ],
                env={"PATH": os.environ["PATH"], **OF_THE_IMAGE, **self.environment},
                cwd="/",
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def ask(self, port: str, path: str, timeout: float) -> Answered | None:
        """None where nobody answers in time."""
        connection = HTTPConnection(HOST, self.pod.port(port), timeout=timeout)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return Answered(response.status, response.read().decode())
        except OSError:
            return None
        finally:
            connection.close()

    def probe(self, name: str) -> Answered | None:
        """Do once what the kubelet does for the probe `startup`, `liveness` or `readiness`."""
        probe: Mapping[str, Any] = self.pod.container[f"{name}Probe"]
        return self.ask(probe["httpGet"]["port"], probe["httpGet"]["path"], probe["timeoutSeconds"])

    def wait_until_started(self) -> None:
        """Return when the startup probe is good. Raises AssertionError where the kubelet would start it again."""
        startup = self.pod.container["startupProbe"]
        for _ in range(startup["failureThreshold"]):
            answered = self.probe("startup")
            if answered and answered.good:
                return
            assert self._process.poll() is None, self.said()
            time.sleep(startup["periodSeconds"])
        raise AssertionError(self.said())

    def wait_until_ready(self) -> Answered:
        """What the readiness probe is told when it is good. Raises AssertionError when it ends, or takes too long."""
        deadline = time.monotonic() + WITHIN
        while not ((answered := self.probe("readiness")) and answered.good):
            assert self._process.poll() is None, self.said()
            assert time.monotonic() < deadline, f"{answered}\n{self.said()}"
            time.sleep(0.1)
        return answered

    def wait_until_not_ready_for(self, part: str) -> str:
        """The reason that the readiness probe is told for that part, once it is more than that it has just begun."""
        deadline = time.monotonic() + WITHIN
        while True:
            answered = self.probe("readiness")
            reason = answered.body["blocking"].get(part, "") if answered and not answered.good else ""
            if reason and reason != "not connected yet":
                return str(reason)
            assert time.monotonic() < deadline, f"{answered}\n{self.said()}"
            time.sleep(0.1)

    def wait_until_done(self) -> int:
        """The exit code of what ends by itself."""
        return self._process.wait(WITHIN)

    def terminate(self) -> int:
        """End it as Kubernetes does, the pause before SIGTERM left out; the exit code. Raises TimeoutExpired where it
        would be killed."""
        pause = self.pod.container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(self.pod.spec["terminationGracePeriodSeconds"] - pause)

    def end(self) -> None:
        """Whatever became of it."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def said(self) -> str:
        """What it has written so far."""
        return self._log.read_text()
