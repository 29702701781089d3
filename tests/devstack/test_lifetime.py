"""Whole stacks: side by side, with the user's own servers, and all gone however their process ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from cadence_engine.devstack.servers import running

GONE_WITHIN_SECONDS = 30
OWN_DATABASE = "postgresql://me@db.example/mine"
OWN_KAFKA = "kafka.example:9092"
ONLY_VALKEY = {"DATABASE_URL": OWN_DATABASE, "KAFKA_BOOTSTRAP_SERVERS": OWN_KAFKA}

# Runs a stack until it is killed, and tells where it is; this test's stand-in for `cadence-engine dev`.
A_RUN = """
import json, signal, sys
from pathlib import Path
from cadence_engine.devstack.servers import running
with running(Path(sys.argv[1])) as servers:
    ours = [server for server in (servers.postgres, servers.valkey, servers.kafka) if server]
    print(json.dumps({"directory": str(servers.directory), "pids": [server.pid for server in ours]}), flush=True)
    signal.pause()
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


@contextmanager
def _a_run(root: Path, environment: dict[str, str]) -> Iterator[tuple["subprocess.Popen[str]", dict[str, Any]]]:
    own = ("DATABASE_URL", "REDIS_URL", "KAFKA_BOOTSTRAP_SERVERS")
    process = subprocess.Popen(
        [sys.executable, "-c", A_RUN, str(root)],
        env={key: value for key, value in os.environ.items() if key not in own} | environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout, process:
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def _assert_gone(processes: list[psutil.Process]) -> None:
    _, left = psutil.wait_procs(processes, timeout=GONE_WITHIN_SECONDS)
    assert left == []


def _family(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """The run's guards, its servers, and the servers' own processes."""
    family: list[psutil.Process] = psutil.Process(process.pid).children(recursive=True)
    return family


def test_nothing_survives_when_the_run_is_killed(root: Path) -> None:
    with _a_run(root, environment={}) as (process, told):
        family = _family(process)
        assert set(told["pids"]) < {member.pid for member in family}

        process.send_signal(signal.SIGKILL)

        _assert_gone(family)
    assert not Path(told["directory"]).exists()


def test_ctrl_c_stops_the_servers_and_removes_their_data(root: Path) -> None:
    with _a_run(root, ONLY_VALKEY) as (process, told):
        family = _family(process)

        os.killpg(process.pid, signal.SIGINT)

        process.wait(GONE_WITHIN_SECONDS)
        _assert_gone(family)
    assert not Path(told["directory"]).exists()


def test_ctrl_c_reaches_no_server_directly(root: Path) -> None:
    """The engine's processes are to stop before their servers do."""
    with _a_run(root, ONLY_VALKEY) as (process, _):
        assert {os.getpgid(member.pid) for member in _family(process)}.isdisjoint({os.getpgid(process.pid)})


def test_the_next_run_clears_what_a_run_left_whose_guards_were_killed_too(root: Path) -> None:
    with _a_run(root, ONLY_VALKEY) as (process, told):
        (server,) = (psutil.Process(pid) for pid in told["pids"])
        guard = server.parent()
        assert guard is not None
        process.send_signal(signal.SIGSTOP)  # so that neither sees the other die
        guard.kill()
        process.kill()
        process.wait()
        assert server.is_running()

        with running(root, ONLY_VALKEY):
            _assert_gone([server])
            assert not Path(told["directory"]).exists()


def test_two_stacks_of_one_checkout_do_not_meet(root: Path) -> None:
    with running(root, ONLY_VALKEY) as one, running(root, ONLY_VALKEY) as other:
        assert one.addresses.redis_url != other.addresses.redis_url
        assert one.directory != other.directory
        assert one.directory.exists()


def test_a_stack_lives_beside_another_that_ends(root: Path) -> None:
    with running(root, ONLY_VALKEY) as outlives:
        with running(root, ONLY_VALKEY):
            pass
        assert outlives.valkey is not None
        assert outlives.valkey.answers()


def test_own_servers_are_used_where_they_are_named(root: Path) -> None:
    with running(root, ONLY_VALKEY) as servers:
        assert servers.addresses.database_url == OWN_DATABASE
        assert servers.addresses.kafka_bootstrap_servers == OWN_KAFKA
        assert (servers.postgres, servers.kafka) == (None, None)
        assert servers.valkey is not None
        assert servers.addresses.as_environment() == {**ONLY_VALKEY, "REDIS_URL": servers.valkey.url}


def test_nothing_is_started_when_all_three_are_named(root: Path) -> None:
    environment = {**ONLY_VALKEY, "REDIS_URL": "redis://redis.example"}
    before = psutil.Process().children()

    with running(root, environment) as servers:
        assert servers.addresses.as_environment() == environment
        assert psutil.Process().children() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="is about root")
def test_postgres_runs_for_root_in_a_directory_that_only_root_may_enter(root: Path) -> None:
    closed = root / "closed"
    closed.mkdir(mode=0o700)
    own = {"REDIS_URL": "redis://redis.example", "KAFKA_BOOTSTRAP_SERVERS": OWN_KAFKA}

    with running(closed, own) as servers:
        assert servers.postgres is not None
        assert psutil.Process(servers.postgres.pid).username() != "root"

    assert closed.stat().st_mode & 0o777 == 0o700
    assert list((closed / ".local").iterdir()) == []
