"""Publishing definitions from the command line."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

GREETING = """
key: greeting
name: Greeting
trigger: {event: api}
steps:
  - {key: hello, wait: P1D, template: {id: hello_1, variables: {contactName: {from: contact.name, else: friend}}}}
"""


async def test_the_ready_cadences_are_applied_by_name_listed_and_shown(cli: Cli) -> None:
    applied = await cli.fine("apply", "reactivation", "onboarding", "upsell")
    assert applied.out.splitlines() == [
        "acme/reactivation: created, version 1, active",
        "acme/onboarding: created, version 1, active",
        "acme/upsell: created, version 1, active",
    ]
    listed = await cli.fine("list", "--json")
    assert [(line["key"], line["trigger"], line["status"], line["version"]) for line in listed.json] == [
        ("onboarding", "contact.created", "active", 1),
        ("reactivation", "inactivity", "active", 1),
        ("upsell", "purchase.completed", "active", 1),
    ]
    table = (await cli.fine("list")).out.splitlines()
    assert table[0].split() == ["key", "name", "trigger", "status", "version", "active", "paused", "parked"]
    assert " ".join(table[2].split()) == "reactivation Win back silent contacts inactivity active 1 0 0 0"


async def test_a_change_makes_a_version_and_the_same_again_does_not(cli: Cli) -> None:
    assert (await cli.fine("apply", "-", stdin=GREETING)).out == "acme/greeting: created, version 1, active\n"
    assert (await cli.fine("apply", "-", stdin=GREETING)).out == "acme/greeting: unchanged, version 1\n"
    changed = GREETING.replace("P1D", "P2D")
    assert (await cli.fine("apply", "-", stdin=changed)).out == (
        "acme/greeting: version 2; enrollments in flight stay on theirs\n"
    )
    shown = (await cli.fine("show", "greeting", "--json")).json
    assert (shown["version"], shown["definition"]["steps"][0]["wait"]) == (2, "P2D")


async def test_what_is_shown_can_be_applied_again_for_another_company(cli: Cli) -> None:
    await cli.fine("apply", "upsell")
    shown = (await cli.fine("show", "upsell")).out
    assert shown.startswith("# acme/upsell, version 1, active\n# entered: 0\n")
    assert (await cli.fine("apply", "-", stdin=shown)).out == "acme/upsell: unchanged, version 1\n"
    assert (await cli.fine("apply", "-", "--company", "other", stdin=shown)).out.startswith("other/upsell: created")


async def test_nothing_of_a_bad_file_nor_of_those_beside_it_is_applied(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GREETING)
    (tmp_path / "bad.yaml").write_text(GREETING.replace("P1D", "P1M").replace("name:", "nme:"))
    said = await cli("apply", "good.yaml", "bad.yaml")
    assert said.code == 1
    assert [line.split(": ")[0] for line in said.err.splitlines()] == [
        "bad.yaml:2:1",
        "bad.yaml:3:1",
        "bad.yaml:6:24",
        "3 problems",
    ]
    assert (await cli.fine("list", "--json")).json == []


async def test_checking_needs_no_database(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GREETING)
    said = await cli("apply", "--check", "good.yaml", DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert (said.code, said.out) == (0, "acme/greeting: fine\n")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (
            "absent.yaml",
            None,
            "absent.yaml: no such file, and no ready cadence either (reactivation, onboarding, upsell)",
        ),
        (".", None, ".: cannot be read: Is a directory"),
        ("latin.yaml", b"key: a\nname: Jos\xe9\n", "latin.yaml:2: not UTF-8"),
    ],
)
async def test_a_file_that_cannot_be_read_is_named(
    cli: Cli, tmp_path: Path, name: str, content: bytes | None, says: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    said = await cli("apply", name)
    assert said.code == 1
    assert says in said.err


async def test_a_trigger_that_no_topic_brings_is_warned_of(cli: Cli) -> None:
    text = GREETING.replace("event: api", "event: contact.craeted")
    said = await cli.fine("apply", "-", stdin=text)
    assert "no topic here brings contact.craeted" in said.err
    assert "Did you mean contact.created?" in said.err
    known = await cli("apply", "-", stdin=text, CADENCE_TRIGGER_TOPICS="contact.craeted")
    assert (known.code, known.err) == (0, "")


async def test_a_database_that_is_not_there_is_said_without_its_password(cli: Cli) -> None:
    said = await cli("list", DATABASE_URL="postgresql://cadence:secret@127.0.0.1:1/none")
    assert said.code == 1
    assert "cannot connect to PostgreSQL, see DATABASE_URL" in said.err
    assert "secret" not in said.err + said.out


async def test_the_installed_command_says_the_same_in_a_process_of_its_own(cli: Cli, tmp_path: Path) -> None:
    environment = {name: value for name, value in {**os.environ, **cli.environment}.items() if value is not None}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cadence_engine", "apply", "-"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        cwd=tmp_path,
    )
    out, err = await process.communicate(GREETING.encode())
    assert (process.returncode, out, err) == (0, b"acme/greeting: created, version 1, active\n", b"")


async def test_a_company_must_be_named(cli: Cli) -> None:
    said = await cli("list", CADENCE_COMPANY="")
    assert said.code == 2
    assert "--company" in said.err
