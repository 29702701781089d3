"""An operator finds out why a contact got no message."""

from cadence_engine.storage.connection import Pool
from tests.cli.conftest import Cli, Known
from tests.cli.test_passages import GREETING, enrollment_of

SILENT = """
key: silent
name: Silent
trigger: {event: inactivity, after: P21D}
steps:
  - {key: hello, wait: P1D, template: {id: hello_1}}
"""


async def test_a_cadence_that_did_not_take_the_contact_says_why(cli: Cli, known: Known) -> None:
    await known("ana")
    await cli.fine("apply", "-", stdin=f"{GREETING}\n---\n{SILENT}")

    said = (await cli.fine("status", "ana")).out
    (greeting,) = [line for line in said.splitlines() if line.startswith("greeting")]
    assert "its trigger did not come since" in greeting
    assert "would be enrolled" in greeting
    (silent,) = [line for line in said.splitlines() if line.startswith("silent")]
    assert "never wrote nor was written to" in silent

    told = (await cli.fine("status", "ana", "--json")).json
    assert [(each["cadence_key"], each["so_far"], each["now"]) for each in told["outlooks"]] == [
        ("greeting", "never_triggered", None),
        ("silent", "never_triggered", "no_message"),
    ]


async def test_what_holds_a_passage_is_said_beside_it(cli: Cli, known: Known) -> None:
    await known("ana")
    await cli.fine("apply", "-", stdin=GREETING)
    await cli.fine("enroll", "greeting", "ana")
    assert "waits for its time" in (await cli.fine("status", "ana")).out

    await cli.fine("pause", "greeting", "--reason", "summer")
    assert "held with its cadence, by olga: summer" in (await cli.fine("status", "ana")).out


async def test_one_enrollment_and_its_history_by_pages(cli: Cli, known: Known) -> None:
    await known("ana")
    await cli.fine("apply", "-", stdin=GREETING)
    enrollment = enrollment_of((await cli.fine("enroll", "greeting", "ana")).out)
    await cli.fine("enrollment", "cancel", enrollment)

    newest = (await cli.fine("status", enrollment, "--json", "--rows", "1")).json
    assert [each["type"] for each in newest["timeline"]] == ["cadence.enrollment.cancelled"]
    older = (await cli.fine("status", enrollment, "--json", "--cursor", newest["next"])).json
    assert [each["type"] for each in older["timeline"]] == ["cadence.enrollment.started"]
    assert older["next"] is None
    assert f"Older: --cursor {newest['next']}" in (await cli.fine("status", enrollment, "--rows", "1")).out
    for cursor in ("yesterday", newest["next"]):
        refused = await cli("status", "ana", "--cursor", cursor)
        assert (refused.code, "was not given for what is asked for" in refused.err) == (1, True)
    assert (await cli("status", enrollment, "--company", "other")).code == 1


async def test_history_that_is_not_kept_any_more_is_said_to_be_missing(cli: Cli, known: Known, pool: Pool) -> None:
    await known("ana")
    await cli.fine("apply", "-", stdin=GREETING)
    assert "not kept" not in (await cli.fine("status", "ana")).out

    await pool.execute("UPDATE log_kept SET since = '2126-05-27'")

    said = (await cli.fine("status", "ana")).out
    assert "What happened before 2126-05-27 00:00" in said
    assert "its trigger did not come since 2126-05-27 00:00" in said
