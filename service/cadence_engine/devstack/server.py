"""What the three embedded servers share: start, stop, and the faults that tests inflict on them."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, NoReturn

from cadence_engine.devstack.errors import DevstackError, ServerStartError
from cadence_engine.devstack.guard import STOP, Order, process_tree, signal_all, wait_until_dead
from cadence_engine.devstack.ports import free_port

LOG_TAIL_LINES = 30
PORT_TRIES = 3
POLL_SECONDS = 0.02
_PORT_TAKEN = "already in use"


class Server(ABC):
    """One embedded server with its data in `directory`. All calls block; from a coroutine use `asyncio.to_thread`."""

    name: ClassVar[str]
    variable: ClassVar[str]
    """The environment variable by which a user names a server of their own instead."""
    environment: Mapping[str, str] = {}
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    grace_seconds: ClassVar[float] = 10.0
    ready_within_seconds: float = 60.0

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / "server.log"
        self.port = 0
        self._guard: subprocess.Popen[bytes] | None = None
        self._order_line = -1
        self._pid = 0

    @abstractmethod
    def prepare(self) -> None:
        """Make the data directory; once, before the first start."""

    @abstractmethod
    def configure(self) -> list[str]:
        """Write the configuration for the present port; returns the command that runs the server."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether the server does real work for a client."""

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The server's own process id (not its guard's); raises DevstackError when it does not run."""
        if self._guard is None:
            raise DevstackError(f"{self.name} does not run: start() it first.")
        return self._pid

    def start(self) -> None:
        """Start on the port of the last start, or on a free one, and wait until the server answers.

        Raises ServerStartError with the tail of the server's log.
        """
        if self._guard is not None:
            return
        if self.port:
            self._launch()
            return
        self.directory.mkdir(parents=True)
        self.prepare()
        for tries_left in reversed(range(PORT_TRIES)):
            self.port = free_port()
            try:
                self._launch()
            except ServerStartError:
                if not tries_left or _PORT_TAKEN not in self.log_tail():
                    raise
            else:
                return

    def stop(self) -> None:
        """Stop cleanly, by force after the grace period; the data stay. Does nothing when the server does not run."""
        if self._guard is None:
            return
        # Refused when the server has ended by itself, and its guard with it.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._order_line, STOP)
        self._reap(self._guard)

    def kill(self) -> None:
        """SIGKILL to the server and all its processes, as in a power cut; the data stay as they are."""
        processes = process_tree(self.pid)
        signal_all(processes, signal.SIGKILL)
        wait_until_dead(processes, self.grace_seconds)
        if self._guard is not None:
            self._reap(self._guard)

    def restart(self) -> None:
        """Start again on the same port and data; stops first when the server still runs."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze all of the server's processes: connections stay open and nothing answers."""
        signal_all(process_tree(self.pid), signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen server go on."""
        signal_all(process_tree(self.pid), signal.SIGCONT)

    def log_tail(self) -> str:
        """The last lines of the server's log."""
        if not self.log.exists():
            return "(it wrote none)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])

    def _launch(self) -> None:
        order = Order(
            command=self.configure(),
            environment=dict(self.environment),
            directory=str(self.directory),
            log=str(self.log),
            stop_signal=self.stop_signal,
            grace_seconds=self.grace_seconds,
        )
        # Only we hold the pipe's writing end, so that its closing tells the guard of our death.
        reading_end, self._order_line = os.pipe()
        with self.log.open("ab") as log:
            guard = subprocess.Popen(
                [sys.executable, "-P", "-m", "cadence_engine.devstack.guard", order.to_json()],
                stdin=reading_end,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        os.close(reading_end)
        self._guard = guard
        with guard.stdout or contextlib.nullcontext() as answer:
            pid = answer.readline() if answer else b""
        if not pid:
            self._fail("could not be run at all")
        self._pid = int(pid)
        self._wait_until_ready(guard)

    def _wait_until_ready(self, guard: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + self.ready_within_seconds
        while not self.answers():
            if guard.poll() is not None:
                self._fail("ended before it answered")
            if time.monotonic() > deadline:
                self._fail(f"did not answer within {self.ready_within_seconds:.0f} s")
            time.sleep(POLL_SECONDS)

    def _fail(self, what: str) -> NoReturn:
        self.stop()
        raise ServerStartError(
            f"The embedded {self.name} {what}. {self._way_out}\nThe end of its log, {self.log}:\n{self.log_tail()}"
        )

    @property
    def _way_out(self) -> str:
        return f"Set {self.variable} to use a server of your own instead."

    def _reap(self, guard: "subprocess.Popen[bytes]") -> None:
        guard.wait()
        os.close(self._order_line)
        self._guard = None
