"""How a cadence goes, from the command line."""

from tests.cli.conftest import Cli, Known
from tests.cli.test_passages import GREETING, enrollment_of


async def test_a_funnel_as_a_table_and_as_json(cli: Cli, known: Known) -> None:
    await known("ana", "bob", "cleo")
    await cli.fine("apply", "-", stdin=GREETING)
    await cli.fine("enroll", "greeting", "ana")
    await cli.fine("enroll", "greeting", "bob")
    enrollment = enrollment_of((await cli.fine("enroll", "greeting", "cleo")).out)
    await cli.fine("enrollment", "cancel", enrollment)

    said = (await cli.fine("funnel", "greeting")).out
    assert said.startswith("greeting v1: 3 started, 2 live, 0 completed (0.0%), 1 cancelled: 1 operator")
    assert [line.split()[:4] for line in said.splitlines()[-2:]] == [["hello", "3", "0", "0"], ["bye", "0", "0", "0"]]

    (told,) = (await cli.fine("funnel", "greeting", "--json")).json
    assert (told["started"], told["live"], told["cancelled"]) == (3, 2, {"operator": 1})
    assert [step["reached"] for step in told["steps"]] == [3, 0]


async def test_what_has_no_funnel_says_so(cli: Cli) -> None:
    await cli.fine("apply", "-", stdin=GREETING)
    assert (await cli("funnel", "greting")).err == "acme has no cadence `greting`; it has greeting\n"
    assert "greeting has no version 2" in (await cli("funnel", "greeting", "--version", "2")).err
    assert (await cli("funnel", "greeting", "--company", "other")).code == 1
