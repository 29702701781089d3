"""Stands between us and one embedded server, so that the server never outlives us.

Started as `python -m cadence_engine.devstack.guard ORDER`, ORDER being JSON. It runs in a session of its own, where no
Ctrl-C reaches it, and watches its standard input, a pipe whose other end only its parent holds: a `stop` on it, or its
end because the parent died (also by SIGKILL), stops the server.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

# A child that the parent forked may hold the pipe open after the parent's death: then its pid tells.
LOOK_FOR_PARENT_EVERY = 0.5
STOP = b"stop\n"


@dataclass(frozen=True, slots=True)
class Order:
    """What to run (the environment is added to ours), how to stop it, and what to remove should the parent be gone."""

    command: list[str]
    environment: dict[str, str]
    directory: str
    log: str
    stop_signal: int
    grace_seconds: float

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def process_tree(pid: int) -> list[psutil.Process]:
    """The process and all that descend from it; empty when it is gone."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def signal_all(processes: list[psutil.Process], number: signal.Signals) -> None:
    """Send a signal to each that is still there."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def wait_until_dead(processes: list[psutil.Process], timeout: float) -> None:
    """Until each has ended, at most `timeout` seconds; one that nobody has reaped yet has ended too."""
    deadline = time.monotonic() + timeout
    while any(_lives(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(0.005)


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def main(order: Order) -> None:
    parent = os.getppid()
    events, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    with Path(order.log).open("ab") as log:
        server = subprocess.Popen(
            order.command,
            cwd=order.directory,
            env={**os.environ, **order.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    sys.stdout.write(f"{server.pid}\n")
    sys.stdout.flush()
    orphaned = _watch(server, events, parent)
    _stop(server, order)
    if orphaned:
        _remove(Path(order.directory))


def _watch(server: "subprocess.Popen[bytes]", events: int, parent: int) -> bool:
    """Until the server ended or is to be stopped; True when that is because the parent is gone."""
    while server.poll() is None:
        readable, _, _ = select.select([sys.stdin.buffer, events], [], [], LOOK_FOR_PARENT_EVERY)
        if sys.stdin.buffer in readable:
            return os.read(sys.stdin.fileno(), len(STOP)) != STOP
        if events in readable and set(os.read(events, 100)) - {signal.SIGCHLD}:
            return False
        if os.getppid() != parent:
            return True
    return False


def _stop(server: "subprocess.Popen[bytes]", order: Order) -> None:
    if server.poll() is not None:  # its pid may be another's by now
        return
    processes = process_tree(server.pid)
    # A frozen process would not hear the stop signal.
    signal_all(processes, signal.SIGCONT)
    server.send_signal(order.stop_signal)
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(order.grace_seconds)
    signal_all(processes, signal.SIGKILL)
    server.wait()
    wait_until_dead(processes, order.grace_seconds)


def _remove(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    with contextlib.suppress(OSError):  # not empty yet: another server's guard is still at it, and will do this
        directory.parent.rmdir()


if __name__ == "__main__":
    main(Order(**json.loads(sys.argv[1])))
