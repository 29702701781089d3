"""Every process begins, says that it is ready, and ends cleanly within ten seconds of being told to."""

import signal
import time
from datetime import datetime, timedelta

import pytest

from tests.processes.conftest import Commands

PROCESSES = ["consumer", "worker", "relay", "api"]
ENDS_WITHIN = 10.0


@pytest.mark.parametrize("name", PROCESSES)
async def test_it_gets_ready_and_ends_on_sigterm(commands: Commands, name: str) -> None:
    code, said = await commands.run("topics", "create", "--partitions", "1", "--replication", "1")
    assert code == 0, said
    command = commands.start(name)
    await command.says(ready=True)

    code, seconds = await command.end(signal.SIGTERM)

    assert code == 0, command.output.read_text()
    assert seconds < ENDS_WITHIN
    lines = command.lines()
    assert lines[0]["action"] == "process_started"
    assert lines[-1]["action"] == "process_ended"
    for line in lines:
        assert list(line)[:4] == ["time", "level", "process", "action"]
        assert line["process"] == name
        assert datetime.fromisoformat(line["time"]).utcoffset() == timedelta()


async def test_ctrl_c_ends_it_as_well(commands: Commands) -> None:
    command = commands.start("worker")
    await command.says(ready=True)
    code, seconds = await command.end(signal.SIGINT)
    assert code == 0
    assert seconds < ENDS_WITHIN


@pytest.mark.parametrize("name", PROCESSES)
async def test_it_ends_also_while_it_waits_for_postgres(commands: Commands, name: str) -> None:
    command = commands.start(name, DATABASE_URL="postgresql://u:secret-word@127.0.0.1:1/nowhere")
    said = await command.says(ready=False)
    assert "postgres" in said["blocking"]
    await command.logs("waiting_for_postgres")
    code, seconds = await command.end()
    assert code == 0
    assert seconds < ENDS_WITHIN
    assert "secret-word" not in command.output.read_text()


async def test_a_wrong_password_is_no_reason_to_wait(commands: Commands) -> None:
    url = commands.environment["DATABASE_URL"]
    user = url.split("://")[1].split(":")[0]
    began = time.monotonic()
    code, said = await commands.run("worker", DATABASE_URL=f"postgresql://{user}:secret-word@{url.rpartition('@')[2]}")
    assert code == 1
    assert "process_failed" in said
    assert "InvalidPasswordError" in said
    assert "secret-word" not in said
    assert time.monotonic() - began < ENDS_WITHIN


async def test_a_taken_health_port_is_told(commands: Commands) -> None:
    first = commands.start("worker")
    await first.says(ready=True)
    code, said = await commands.run("worker", CADENCE_HEALTH_PORT=first.health.rpartition(":")[2])
    assert code == 1
    assert "process_failed" in said
    assert "address already in use" in said
