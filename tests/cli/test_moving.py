"""Moving who is on the way to another version, from the command line."""

from cadence_engine.storage.connection import Pool
from tests.cli.conftest import Cli, Known

GREETING = """
key: greeting
name: Greeting
trigger: {event: api}
steps:
  - {key: hello, wait: P3D, template: {id: hello_1}}
  - {key: tip, wait: P1D, template: {id: tip_1}}
"""
CHANGED = """
key: greeting
name: Greeting
trigger: {event: api}
steps:
  - {key: intro, wait: P1D, template: {id: intro_1}}
  - {key: hello, wait: P5D, template: {id: hello_1}}
  - {key: bye, wait: P1D, template: {id: bye_1}}
"""
WHAT_BECOMES = [
    "greeting, from version 1 to 2: 3 enrollments",
    "  at hello: 2, kept; gone: tip; never runs: intro; added ahead: bye",
    "  at tip: 1, go on with bye; gone: tip; never runs: intro; added ahead: bye",
    "  waits counted anew: 2",
]


async def on_the_way(cli: Cli, known: Known, pool: Pool) -> None:
    await known("ana", "bob", "cid")
    await cli.fine("apply", "-", stdin=GREETING)
    for contact in ("ana", "bob", "cid"):
        await cli.fine("enroll", "greeting", contact)
    await pool.execute("UPDATE cadence_enrollments SET step_index = 1, revision = 2 WHERE contact_id = 'cid'")
    await cli.fine("apply", "-", stdin=CHANGED)


async def test_a_dry_run_counts_what_would_become_of_them(cli: Cli, known: Known, pool: Pool) -> None:
    await on_the_way(cli, known, pool)
    said = await cli.fine("move-enrollments", "greeting", "--from", "1", "--dry-run")
    assert said.out.splitlines() == [*WHAT_BECOMES, "dry run: nothing was changed"]
    assert {line["version"]: line["live"] for line in (await cli.fine("versions", "greeting", "--json")).json} == {
        1: 3,
        2: 0,
    }
    counted = (await cli.fine("move-enrollments", "greeting", "--from", "1", "--dry-run", "--json")).json
    assert (counted["done"], counted["waits_anew"], counted["due_at_once"]) == (False, 2, 0)
    assert [(step["step"], step["enrollments"], step["place"]["fate"]) for step in counted["steps"]] == [
        ("hello", 2, "kept"),
        ("tip", 1, "next"),
    ]


async def test_they_are_moved_only_when_told_so_and_the_status_says_by_whom(cli: Cli, known: Known, pool: Pool) -> None:
    await on_the_way(cli, known, pool)
    asked = await cli("move-enrollments", "greeting", "--from", "1")
    assert (asked.code, asked.out) == (1, "")
    assert asked.err.splitlines() == [
        *WHAT_BECOMES,
        "3 enrollments would be moved so; nothing was done: say --yes where nobody can be asked",
    ]
    moved = await cli.fine("move-enrollments", "greeting", "--from", "1", "--to", "2", "--yes", "--reason", "better")
    assert moved.out.splitlines() == WHAT_BECOMES
    assert await pool.fetchval("SELECT array_agg(DISTINCT version) FROM cadence_enrollments") == [2]
    status = (await cli.fine("status", "ana")).out
    assert "moved from version 1 to 2, step hello, next " in status
    assert ": better (by olga)" in status
    again = await cli.fine("move-enrollments", "greeting", "--from", "1", "--yes")
    assert again.out == "greeting, from version 1 to 2: 0 enrollments\n"


async def test_what_cannot_be_moved_is_said(cli: Cli) -> None:
    await cli.fine("apply", "-", stdin=GREETING)
    for arguments, says in (
        (["gretting", "--from", "1"], "acme has no cadence `gretting`; it has greeting"),
        (["greeting", "--from", "1"], "from version 1 to itself there is nothing to move: give another with --to"),
        (["greeting", "--from", "1", "--to", "7"], "greeting has no version 7: it has 1 to 1, see `versions greeting`"),
    ):
        said = await cli("move-enrollments", *arguments)
        assert (said.code, said.out, said.err) == (1, "", f"{says}\n")
