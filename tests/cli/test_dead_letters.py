"""Dead letters from the command line: seen, replayed, dropped, and by nobody else."""

import json
from typing import Any

import pytest_asyncio

from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.page import apply_page
from cadence_engine.handlers.received import Page
from cadence_engine.storage.connection import Pool
from cadence_engine.storage.database import run
from tests.cli.conftest import Cli, Known
from tests.handlers.letters import a_record, found

PHONE = "+5511987654321"
TOPIC = "contact.created"
LIST = "cadence-engine dead-letters list --company acme --contact bia"


@pytest_asyncio.fixture
async def letters(pool: Pool) -> list[str]:
    """Three on their topic: one that is understood by now, one that never is, one that names nobody."""
    now = await pool.fetchval("SELECT now()")
    broken = json.dumps({"specversion": "1.0", "data": {"companyId": "acme", "contactId": "bia", "phone": PHONE}})
    buried = (
        found(TOPIC, a_record(TOPIC, contactId="ana", name="Ana Souza", phone=PHONE), now),
        found(TOPIC, broken.encode(), now),
        found("message.received", b"Ana Souza", now),
    )
    await run(pool, lambda unit: apply_page(unit, Page((), (), buried), Policy()))
    await pool.execute("UPDATE event_batches SET published_at = now()")
    return [f"{letter.topic}/{letter.partition}/{letter.offset}" for letter in buried]


def _name(page: dict[str, Any]) -> str:
    (line,) = page["letters"]
    return f"{line['topic']}/{line['partition']}/{line['offset']}"


async def test_they_are_seen_masked_and_by_their_company_alone(cli: Cli, letters: list[str]) -> None:
    mine, broken, nobodys = letters
    listed = (await cli.fine("dead-letters", "list")).out
    assert mine in listed
    assert broken in listed
    assert nobodys not in listed
    assert "2 kept" in listed
    assert len((await cli.fine("dead-letters", "list", "--all-companies", "--json")).json["letters"]) == 3
    (line,) = (await cli.fine("dead-letters", "list", "--code", "not_cloudevent", "--json")).json["letters"]
    assert (line["contact_id"], line["state"]) == ("bia", "kept")
    (line,) = (await cli.fine("dead-letters", "list", "--contact", "bia", "--json")).json["letters"]
    assert line["contact_id"] == "bia"
    assert "0 kept" in (await cli.fine("dead-letters", "list", "--company", "other")).out

    newest = (await cli.fine("dead-letters", "list", "--rows", "1", "--json")).json
    older = (await cli.fine("dead-letters", "list", "--rows", "1", "--json", "--cursor", newest["next"])).json
    assert [older["next"], *(_name(page) for page in (older, newest))] == [None, mine, broken]
    assert f"--cursor {newest['next']}" in (await cli.fine("dead-letters", "list", "--rows", "1")).err
    for another in (("--state", "dropped"), ("--all-companies",)):
        other = await cli("dead-letters", "list", *another, "--cursor", newest["next"])
        assert (other.code, "not given for what is asked for" in other.err) == (1, True)

    shown = (await cli.fine("dead-letters", "show", mine)).out
    assert '"contactId": "ana"' in shown
    for said in (listed, shown):
        assert PHONE not in said
        assert "Souza" not in said
    assert PHONE in (await cli.fine("dead-letters", "show", mine, "--full")).out
    refused = await cli("dead-letters", "show", mine, "--company", "other")
    assert (refused.code, refused.err) == (1, f"other has no dead letter {mine}\n")
    assert (await cli("dead-letters", "show", nobodys)).code == 1
    assert (await cli("dead-letters", "list", CADENCE_COMPANY="")).code != 0
    assert (await cli("dead-letters", "show", "somewhere")).code == 2


async def test_they_are_counted_replayed_and_what_is_not_understood_stays(
    cli: Cli, letters: list[str], pool: Pool
) -> None:
    _, broken, _ = letters
    asked = await cli("dead-letters", "replay")
    assert asked.code == 1
    assert "2 dead letters would be replayed; nothing was done: say --yes" in asked.err
    assert await pool.fetchval("SELECT count(*) FROM contacts") == 0

    said = (await cli.fine("dead-letters", "replay", "--reason", "mended", "--yes")).out
    assert "1 replayed\n1 are still not understood, and stay:\n" in said
    assert f"{broken}: not_cloudevent: " in said
    assert await pool.fetchval("SELECT name FROM contacts") == "Ana Souza"
    assert (await cli.fine("dead-letters", "replay", "--yes", "--topic", "lead.created")).out == "0 replayed\n"
    gone = (await cli.fine("dead-letters", "list", "--state", "replayed")).out
    assert "by olga: mended" in gone


async def test_a_replay_under_a_key_says_the_same_again(cli: Cli, letters: list[str]) -> None:
    replay = ("dead-letters", "replay", "--idempotency-key", "monday", "--yes")
    counted, _, first = (await cli.fine(*replay)).out.partition("1 replayed")
    assert counted
    assert first.startswith("\n1 are still not understood")
    assert (await cli.fine(*replay)).out.endswith("1 replayed" + first)
    assert "0 replayed\n1 are still" in (await cli.fine("dead-letters", "replay", "--yes")).out
    another = await cli(*replay, "--topic", "lead.created")
    assert (another.code, "was used for something else" in another.err) == (1, True)
    everyones = await cli(*replay, "--all-companies")
    assert (everyones.code, "one company's" in everyones.err) == (1, True)


async def test_the_status_of_a_contact_tells_of_those_that_name_it(cli: Cli, known: Known, letters: list[str]) -> None:
    _, broken, _ = letters
    assert "could not be read" not in (await cli("status", "bia", "--company", "other")).err
    unknown = await cli("status", "bia")
    assert (unknown.code, "acme has no contact bia" in unknown.err) == (1, True)
    await known("bia")
    status = await cli.fine("status", "bia")
    for said in (unknown.err, status.out):
        assert f"could not be read: 1 ({TOPIC}: 1 not_cloudevent). See `{LIST}`" in said
    assert broken in (await cli.fine(*LIST.split()[1:])).out
    (unread,) = (await cli.fine("status", "bia", "--json")).json["unread"]
    assert unread == {"topic": TOPIC, "reason": "not_cloudevent", "letters": 1}
    await cli.fine("dead-letters", "drop", broken, "--reason", "a test")
    assert "could not be read" not in (await cli.fine("status", "bia")).out


async def test_one_is_dropped_with_a_reason_and_once(cli: Cli, letters: list[str]) -> None:
    mine, _, nobodys = letters
    assert (await cli("dead-letters", "drop", mine)).code == 2
    refused = await cli("dead-letters", "drop", mine, "--reason", "x", "--company", "other")
    assert (refused.code, "other has no dead letter" in refused.err) == (1, True)
    assert (await cli.fine("dead-letters", "drop", mine, "--reason", "a test")).out == "1 dropped\n"
    again = await cli("dead-letters", "drop", mine, "--reason", "a test")
    assert (again.code, "or it is settled" in again.err) == (1, True)
    shown = (await cli.fine("dead-letters", "show", mine, "--full")).out
    assert "by olga: a test" in shown
    assert PHONE not in shown
    assert (
        await cli.fine("dead-letters", "drop", nobodys, "--all-companies", "--reason", "noise")
    ).out == "1 dropped\n"


async def test_erasing_a_contact_drops_what_names_it(cli: Cli, letters: list[str], pool: Pool) -> None:
    erase = ("contact", "erase", "bia", "--reason", "ticket 7", "--yes")
    assert (await cli.fine(*erase)).out == "erased: 0 enrollments cancelled, 1 dead letters dropped\n"
    assert (await cli.fine(*erase)).out == "erased: 0 enrollments cancelled, 0 dead letters dropped\n"
    stranger = await cli("contact", "erase", "cleo", "--reason", "typo", "--yes")
    assert (stranger.code, stranger.err) == (1, "acme knows no contact cleo, by any record\n")
    assert (await cli("contact", "erase", "bia", "--reason", "x", "--yes", "--company", "other")).code == 1
    rows = await pool.fetch("SELECT data FROM cadence_events WHERE type = 'cadence.contact.erased'")
    assert [(row[0]["cause"], row[0]["note"]) for row in rows] == [({"actor": "olga"}, "ticket 7")] * 2
    told = (await cli.fine("status", "bia")).out
    assert "deleted: nothing of the person is kept: ticket 7 (by olga)" in told
    (line,) = (await cli.fine("dead-letters", "list", "--state", "dropped", "--json")).json["letters"]
    assert (line["settled_by"], line["bytes"]) == ("erase", 0)
