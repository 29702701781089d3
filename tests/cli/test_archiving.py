"""Taking a cadence out of use and bringing it back, from the command line."""

from cadence_engine.storage.connection import Pool
from tests.cli.conftest import Cli, Known

GREETING = """
key: greeting
name: Greeting
trigger: {event: api}
steps: [{key: hello, wait: P1D, template: {id: hello_1}}]
"""


async def test_it_cancels_who_is_in_it_but_only_when_told_so(cli: Cli, known: Known) -> None:
    await known("ana", "bob")
    await cli.fine("apply", "-", stdin=GREETING)
    for contact in ("ana", "bob"):
        await cli.fine("enroll", "greeting", contact)
    asked = await cli("archive", "greeting")
    assert (asked.code, asked.err) == (
        1,
        "2 enrollments of greeting would be cancelled; nothing was done: say --yes where nobody can be asked\n",
    )
    assert (await cli.fine("list", "--json")).json[0]["status"] == "active"
    archived = await cli.fine("archive", "greeting", "--yes", "--reason", "season over")
    assert archived.out == "greeting is archived: 2 enrollments are cancelled\n"
    assert (await cli.fine("archive", "greeting", "--yes")).out.startswith("greeting is archived already, by olga")
    assert "cancelled: cadence_archived: season over (by olga)" in (await cli.fine("status", "ana")).out


async def test_it_is_listed_only_if_asked_for(cli: Cli) -> None:
    await cli.fine("apply", "-", stdin=GREETING)
    await cli.fine("archive", "greeting")
    assert (await cli.fine("list", "--json")).json == []
    assert [line["status"] for line in (await cli.fine("list", "--archived", "--json")).json] == ["archived"]
    assert "# archived by olga" in (await cli.fine("show", "greeting")).out


async def test_all_else_is_refused_until_it_is_back(cli: Cli, known: Known) -> None:
    await known("ana")
    await cli.fine("apply", "-", stdin=GREETING)
    await cli.fine("archive", "greeting")
    for command in ("pause", "resume", "unpark"):
        said = await cli(command, "greeting")
        assert (said.code, said.err) == (1, "greeting is archived: `cadence-engine unarchive greeting` first\n")
    assert "(cadence_not_active)" in (await cli("enroll", "greeting", "ana")).err
    applied = await cli.fine("apply", "-", stdin=GREETING.replace("P1D", "P2D"))
    assert "version 2, archived as before (see `cadence-engine unarchive`)" in applied.out
    assert (await cli.fine("unarchive", "greeting")).out == (
        "greeting is back, paused: `cadence-engine resume greeting` lets contacts enter\n"
    )
    assert (await cli.fine("unarchive", "greeting")).out == "greeting is not archived: it is paused\n"
    await cli.fine("resume", "greeting")
    await cli.fine("enroll", "greeting", "ana")


async def test_one_that_was_interrupted_is_finished_first(cli: Cli, known: Known, pool: Pool) -> None:
    await known("ana")
    await cli.fine("apply", "-", stdin=GREETING)
    await cli.fine("enroll", "greeting", "ana")
    await pool.execute("UPDATE cadences SET status = 'archived', status_at = clock_timestamp(), settled = false")
    await cli.fine("unarchive", "greeting")
    assert await pool.fetchval("SELECT status FROM cadence_enrollments") == "cancelled"


async def test_an_unknown_key_is_said(cli: Cli) -> None:
    await cli.fine("apply", "-", stdin=GREETING)
    for command in ("archive", "unarchive", "versions"):
        assert (await cli(command, "gretting")).err == "acme has no cadence `gretting`; it has greeting\n"


async def test_the_versions_of_a_cadence_and_who_is_on_their_way_in_each(cli: Cli, known: Known) -> None:
    await known("ana", "bob")
    await cli.fine("apply", "-", stdin=GREETING)
    await cli.fine("enroll", "greeting", "ana")
    await cli.fine("apply", "-", stdin=GREETING.replace("P1D", "P2D"))
    lines = (await cli.fine("versions", "greeting", "--json")).json
    assert [(line["version"], line["actor"], line["live"]) for line in lines] == [(2, "olga", 0), (1, "olga", 1)]
    assert (await cli.fine("versions", "greeting")).out.splitlines()[0].split() == [
        "version",
        "published",
        "by",
        "live",
    ]
