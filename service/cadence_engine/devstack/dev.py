"""`cadence-engine dev`: the whole engine in one terminal, for as long as you like."""

import contextlib
import os
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.console import Console

from cadence_engine.devstack import servers
from cadence_engine.devstack.fleet import ENGINE_ALONE, Api, Fleet
from cadence_engine.devstack.following import Following
from cadence_engine.devstack.preparing import prepare
from cadence_engine.devstack.stopping import stopping_once

API_ADDRESS = "CADENCE_API"
LOOK_EVERY = 0.2
FINE, PROCESS_ENDED = 0, 1


def run(root: Path, console: Console) -> int:
    """Run servers and processes until Ctrl-C, or until one of the processes ends by itself; answers the exit code.

    Writes the addresses to `root/.local/env` and removes them at the end. Raises DevstackError where something cannot
    be started.
    """
    env_file = root / ".local" / "env"
    with stopping_once(), contextlib.suppress(KeyboardInterrupt):
        console.print("Starting the servers ..")
        with servers.running(root) as running:
            environment = running.addresses.as_environment()
            console.print("Migrating the database, making the topics ..")
            prepare(environment)
            engine = Fleet(running.directory, environment, (*ENGINE_ALONE, Api))
            api = next(process for process in engine.processes if isinstance(process, Api))
            with Following(console, {process.name: process.log for process in engine.processes}), engine:
                engine.start()
                with written(env_file, {**environment, API_ADDRESS: api.url}):
                    _welcome(console, env_file, api.url, engine)
                    return _watch(engine, console)
    console.print("All stopped.")
    return FINE


@contextlib.contextmanager
def written(env_file: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """The addresses, as lines that a shell can read, while the context lasts; another's newer file is left alone."""
    lines = "".join(f"{name}={shlex.quote(value)}\n" for name, value in environment.items())
    env_file.unlink(missing_ok=True)
    env_file.touch(mode=0o600)  # it holds passwords
    env_file.write_text(lines)
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            if env_file.read_text() == lines:
                env_file.unlink()


def _welcome(console: Console, env_file: Path, api_url: str, engine: Fleet) -> None:
    shown = shlex.quote(os.path.relpath(env_file))
    metrics = ", ".join(f"{process.name} http://{process.address}/metrics" for process in engine.processes)
    program = shlex.quote(os.path.relpath(Path(sys.executable).with_name("cadence-engine")))
    console.print(
        f"\nThe engine runs. Addresses are in {shown}; in another terminal:\n"
        f"  set -a; . {shown}; set +a\n"
        f"  {program} apply onboarding --company acme\n"
        f"The API is at {api_url}, its description at {api_url}/docs.\n"
        f"Metrics: {metrics}.\n"
        "Ctrl-C ends everything.\n",
        style="bold",
        soft_wrap=True,
        highlight=False,
    )


def _watch(engine: Fleet, console: Console) -> int:
    """Until a process ends. None is restarted: here one that dies is a defect to look at, not to hide."""
    while (ended := engine.ended()) is None:
        time.sleep(LOOK_EVERY)
    console.print(f"\nThe {ended.name} has ended by itself: see its last lines above. Stopping the rest.", style="red")
    return PROCESS_ENDED
