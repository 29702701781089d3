"""The three servers together: each embedded, or the user's own where its environment variable is set."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil

from cadence_engine.devstack import jars
from cadence_engine.devstack.kafka import Kafka
from cadence_engine.devstack.locks import exclusive, hold, is_held
from cadence_engine.devstack.postgres import Postgres
from cadence_engine.devstack.server import Server
from cadence_engine.devstack.valkey import Valkey


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the engine finds its servers; the names are those of its environment variables, in lower case."""

    database_url: str
    redis_url: str
    kafka_bootstrap_servers: str

    def as_environment(self) -> dict[str, str]:
        """The environment variables for a process of the engine."""
        return {
            Postgres.variable: self.database_url,
            Valkey.variable: self.redis_url,
            Kafka.variable: self.kafka_bootstrap_servers,
        }


@dataclass(frozen=True, slots=True)
class Servers:
    """The running servers; None where the user's own is used, which nobody here may kill or restart."""

    addresses: Addresses
    directory: Path
    postgres: Postgres | None
    valkey: Valkey | None
    kafka: Kafka | None


@contextlib.contextmanager
def running(root: Path, environment: Mapping[str, str] = os.environ) -> Iterator[Servers]:
    """Start what the environment does not name; stop it and remove its data at the end.

    Data live in a new directory below `root/.local`, so any number of stacks run side by side. A stack whose process
    was killed is stopped at once by its guards; what such a one may have left is removed here.
    """
    with _run_directory(root / ".local") as directory:
        postgres = None if environment.get(Postgres.variable) else Postgres(directory / "postgres")
        valkey = None if environment.get(Valkey.variable) else Valkey(directory / "valkey")
        kafka = None if environment.get(Kafka.variable) else Kafka(directory / "kafka", _class_path())
        ours: list[Server] = [server for server in (kafka, postgres, valkey) if server is not None]
        try:
            _all(ours, "start")
            addresses = Addresses(
                database_url=postgres.url if postgres else environment[Postgres.variable],
                redis_url=valkey.url if valkey else environment[Valkey.variable],
                kafka_bootstrap_servers=kafka.bootstrap_servers if kafka else environment[Kafka.variable],
            )
            yield Servers(addresses, directory, postgres, valkey, kafka)
        finally:
            _all(ours, "stop")


def _class_path() -> list[Path]:
    return jars.fetch(jars.committed_jars(), jars.cache_directory())


def _all(servers: list[Server], action: str) -> None:
    with ThreadPoolExecutor(max(1, len(servers))) as pool:
        for done in [pool.submit(getattr(server, action)) for server in servers]:
            done.result()


@contextlib.contextmanager
def _run_directory(parent: Path) -> Iterator[Path]:
    parent.mkdir(parents=True, exist_ok=True)
    with exclusive(parent):  # so that nobody takes a directory for a dead run's between its making and its locking
        for left in parent.glob("run-*"):
            if not is_held(left):
                _clear_away(left)
        directory = Path(tempfile.mkdtemp(prefix="run-", dir=parent))
        directory.chmod(0o755)  # PostgreSQL may run as another account
        handle = hold(directory)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(handle)


def _clear_away(directory: Path) -> None:
    """Remove a dead run's data, and its servers should even their guards have been killed."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if Path(process.cwd()).is_relative_to(directory.resolve()):
                process.kill()
    shutil.rmtree(directory, ignore_errors=True)
