"""Operating on enrollments from the command line: one by its id, many by options, never more than was meant."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from cadence_engine.storage.connection import Pool
from tests.cli.conftest import Cli, Known
from tests.cli.test_holding import enroll_all, publish

CONTACTS = tuple(f"c{n}" for n in range(7))
STEPS = """
key: greeting
name: Greeting
trigger: {event: contact.created}
steps:
  - {key: hello, wait: P1D, template: {id: hello_1}}
  - {key: again, wait: P1D, template: {id: hello_2}}
"""


@pytest.fixture
async def greeting(cli: Cli, known: Known, pool: Pool) -> Cli:
    """Seven contacts who wait for their first step."""
    await known(*CONTACTS)
    await enroll_all(pool, await publish(pool, STEPS), *CONTACTS)
    return cli


async def id_of(pool: Pool, contact: str = "c0") -> str:
    return str(await pool.fetchval("SELECT enrollment_id FROM cadence_enrollments WHERE contact_id = $1", contact))


async def statuses(pool: Pool) -> dict[str, int]:
    rows = await pool.fetch("SELECT status, count(*) FROM cadence_enrollments GROUP BY status")
    return {row[0]: row[1] for row in rows}


async def test_one_is_paused_resumed_skipped_hastened_and_cancelled(greeting: Cli, pool: Pool) -> None:
    one = await id_of(pool)
    told: list[tuple[tuple[str, ...], str]] = [
        (("pause", one, "--reason", "holiday"), "greeting of c0: paused, next step 23:59:"),
        (("pause", one), "it is so already; nothing changed\n"),
        (
            ("pause", one, "--reason", "sale"),
            "it is so already; nothing changed; what was said before as its reason stay",
        ),
        (("resume", one), "greeting of c0: active, next step 20"),
        (("skip", one, "--step", "hello"), "greeting of c0: active, next step 20"),
        (("run-now", one), "greeting of c0: active, next step 20"),
        (("skip", one, "--step", "again"), "greeting of c0: completed"),
    ]
    for arguments, expected in told:
        assert (await greeting.fine("enrollment", *arguments)).out.startswith(expected), arguments
    for arguments, why in [
        (("pause", one), "it has ended; nothing changed"),
        (("skip", one, "--step", "hello"), "it has ended; nothing changed"),
        (("pause", str(UUID(int=1))), "acme has no enrollment 0"),
        (("pause", one, "--company", "zeta"), "zeta has no enrollment "),
    ]:
        said = await greeting("enrollment", *arguments)
        assert (said.code, said.err.startswith(why)) == (1, True), said
    history = (await greeting.fine("status", "c0")).out
    for line in (
        "paused: holiday (by olga)",
        "step hello skipped: operator (by olga)",
        "step again to run now, due 20",
    ):
        assert line in history


async def test_a_pause_until_a_time_is_shown_and_one_that_is_over_is_refused(greeting: Cli, pool: Pool) -> None:
    one = await id_of(pool)
    said = await greeting("enrollment", "pause", one, "--until", "2020-01-01")
    assert (said.code, said.err) == (1, "2020-01-01 00:00:00Z is over: give a time to come, or none\n")
    until = (datetime.now(UTC) + timedelta(days=3)).strftime("%Y-%m-%d")
    assert (
        f"after it goes on {until} 00:00:00Z" in (await greeting.fine("enrollment", "pause", one, "--until", until)).out
    )
    assert f"until {until} 00:00:00Z" in (await greeting.fine("status", "c0")).out


async def test_many_are_counted_first_and_nothing_is_done_unasked(greeting: Cli, pool: Pool) -> None:
    every = "enrollment", "pause", "--cadence", "greeting"
    counted = await greeting.fine(*every, "--dry-run")
    assert counted.out == "7 enrollments of acme would be paused; nothing was done\n"
    refused = await greeting(*every)
    assert (refused.code, refused.err) == (
        1,
        "7 enrollments of acme would be paused; nothing was done: say --yes where nobody can be asked\n",
    )
    assert await statuses(pool) == {"active": 7}
    assert (await greeting.fine(*every, "--yes")).out == "7 paused\n"
    assert await statuses(pool) == {"paused": 7}
    assert (await greeting.fine(*every, "--yes")).out == "7 left: it is so already\n"
    resumed = await greeting.fine("enrollment", "resume", "--status", "paused", "--yes", "--mode", "skip_missed")
    assert resumed.out == "7 resumed\n"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("pause",), "which enrollments? name one by its id, or choose by options"),
        (("skip", "--cadence", "greeting"), "which step? say --step KEY"),
        (("pause", str(uuid4()), "--cadence", "greeting"), "an id says it all: leave out cadence"),
        (("cancel", "--cadence", "greting", "--yes"), "acme has no cadence `greting`; it has greeting"),
        (
            ("list", "--cursor", "x"),
            "this cursor was not given for what is asked for now: ask as before",
        ),
    ],
)
async def test_what_is_not_clear_is_refused(greeting: Cli, pool: Pool, arguments: tuple[str, ...], why: str) -> None:
    said = await greeting("enrollment", *arguments)
    assert said.code == 1
    assert said.err.startswith(why)
    assert await statuses(pool) == {"active": 7}


async def test_a_step_is_skipped_for_all_who_wait_at_it_and_for_nobody_twice(greeting: Cli, pool: Pool) -> None:
    await greeting.fine("enrollment", "skip", await id_of(pool), "--step", "hello")
    skip = "enrollment", "skip", "--cadence", "greeting", "--step", "hello", "--yes"
    assert (await greeting.fine(*skip)).out == "6 skipped\n"
    assert (await greeting.fine(*skip)).out == "0 enrollments of acme would be skipped; nothing was done\n"


async def test_lists_go_on_where_they_ended(greeting: Cli, pool: Pool) -> None:
    await greeting.fine("enrollment", "cancel", await id_of(pool), "--reason", "by hand")
    seen: list[Any] = []
    after: tuple[str, ...] = ()
    while True:
        page = (await greeting.fine("enrollment", "list", "--rows", "3", "--json", *after)).json
        seen += [(each["enrollment"]["contact_id"], each["step_key"]) for each in page["enrollments"]]
        if page["next"] is None:
            break
        after = "--cursor", page["next"]
    assert sorted(seen) == [(contact, "hello") for contact in CONTACTS]
    table = (await greeting.fine("enrollment", "list", "--status", "active", "--contact", "c1")).out.splitlines()
    assert table[0].split() == ["enrollment", "contact", "cadence", "status", "step", "next", "run", "started"]
    assert table[1].split()[1:7] == ["c1", "greeting", "v1", "active", "hello", "(1"]
    assert (await greeting.fine("enrollment", "list", "--started-before", "2020-01-01")).out == (
        "acme has no such enrollment\n"
    )
