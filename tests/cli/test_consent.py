"""What many would notice, or nothing brings back, is asked about first; where nobody can be asked it is not done."""

import asyncio
import contextlib
import os
import pty
import sys

import pytest

from cadence_engine.storage.connection import Pool
from tests.cli.conftest import Cli, Known
from tests.cli.test_passages import GREETING

CANCELLED = "1 enrollments of greeting would be cancelled"


@pytest.fixture
async def enrolled(cli: Cli, known: Known) -> Cli:
    """A contact on its way."""
    await known("ana")
    await cli.fine("apply", "-", stdin=GREETING)
    await cli.fine("enroll", "greeting", "ana")
    return cli


@pytest.mark.parametrize(
    ("command", "would"),
    [
        ("archive greeting", CANCELLED),
        ("enrollment cancel --cadence greeting", "1 enrollment of acme would be cancelled"),
        ("contact erase ana --reason asked", "contact ana of acme would be forgotten for good"),
        (
            "company erase --company acme --reason asked",
            "all contacts of acme would be forgotten for good, and all their enrollments ended",
        ),
    ],
)
async def test_in_a_pipe_it_says_what_would_happen_and_how_to_have_it_done(
    enrolled: Cli, pool: Pool, command: str, would: str
) -> None:
    said = await enrolled(*command.split(), stdin="y\n")
    assert (said.code, said.err) == (1, f"{would}; nothing was done: say --yes where nobody can be asked\n")
    assert await pool.fetchval("SELECT status FROM cadence_enrollments") == "active"


@pytest.mark.parametrize(("answer", "code", "status"), [("y", 0, "cancelled"), ("n", 1, "active")])
async def test_who_sits_at_a_terminal_is_asked(enrolled: Cli, pool: Pool, answer: str, code: int, status: str) -> None:
    shown, exit_code = await _at_a_terminal(enrolled, answer, "archive", "greeting")
    assert f"{CANCELLED}. Go on? [y/N]: " in shown
    assert ("nothing was done" in shown) is (answer == "n")
    assert exit_code == code
    assert await pool.fetchval("SELECT status FROM cadence_enrollments") == status


async def _at_a_terminal(cli: Cli, answer: str, *arguments: str) -> tuple[str, int]:
    """What the terminal shows of the command whose question is answered so, and the exit code."""
    master, terminal = pty.openpty()
    environment = {**os.environ, **{name: text for name, text in cli.environment.items() if text is not None}}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cadence_engine", *arguments),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environment,
    )
    os.close(terminal)
    os.write(master, f"{answer}\n".encode())
    code = await process.wait()
    shown = b""
    with contextlib.suppress(OSError):  # the terminal ends with its last user
        while piece := os.read(master, 4096):
            shown += piece
    os.close(master)
    return shown.decode(), code
