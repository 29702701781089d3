"""A draft from the command line: saved, looked at, edited, published."""

from tests.cli.conftest import Cli

GREETING = """
key: greeting
name: Greeting
trigger: {event: api}
steps: [{key: hello, wait: P1D, template: {id: hello_1}}]
"""
CHANGED = GREETING.replace("P1D", "P2D")


async def test_from_the_first_line_to_the_published_version(cli: Cli) -> None:
    assert (await cli.fine("draft", "save", "-", stdin=GREETING)).out == "acme/greeting: draft saved, revision 1\n"
    assert (await cli.fine("list", "--json")).json == []
    assert [d["revision"] for d in (await cli.fine("draft", "list", "--json")).json] == [1]
    shown = (await cli.fine("draft", "show", "greeting")).out
    assert shown.startswith("# draft of acme/greeting, revision 1, by olga ")
    edited = await cli.fine("draft", "save", "-", "--revision", "1", stdin=shown.replace("P1D", "P2D"))
    assert edited.out == "acme/greeting: draft saved, revision 2\n"
    assert "+    wait: P2D" in (await cli.fine("draft", "diff", "greeting")).out
    published = await cli.fine("draft", "publish", "greeting", "--revision", "2")
    assert published.out == "acme/greeting: created, version 1, active\n"
    assert (await cli.fine("apply", "-", stdin=CHANGED)).out == "acme/greeting: unchanged, version 1\n"
    assert (await cli.fine("draft", "list", "--json")).json == []


async def test_it_may_be_activated_later(cli: Cli) -> None:
    await cli.fine("draft", "save", "-", stdin=GREETING)
    published = await cli.fine("draft", "publish", "greeting", "--revision", "1", "--paused")
    assert published.out == "acme/greeting: created, version 1, paused\n"
    assert "# paused by olga" in (await cli.fine("show", "greeting")).out
    assert (await cli.fine("resume", "greeting")).out.startswith("greeting is active again")


async def test_an_edit_of_an_older_revision_is_refused(cli: Cli) -> None:
    await cli.fine("draft", "save", "-", stdin=GREETING)
    await cli.fine("draft", "save", "-", "--revision", "1", "--actor", "rui", stdin=CHANGED)
    said = await cli("draft", "save", "-", "--revision", "1", stdin=GREETING)
    assert said.code == 1
    assert said.err == (
        "the draft of greeting is at revision 2, by rui; yours was made from revision 1: "
        "look at `draft show greeting`, then come again with --revision 2\n"
    )
    assert "yours was made as a new one" in (await cli("draft", "save", "-", stdin=GREETING)).err
    await cli.fine("draft", "publish", "greeting", "--revision", "2")
    late = await cli("draft", "save", "-", "--revision", "2", stdin=GREETING)
    assert "there is no draft of greeting any more" in late.err


async def test_one_that_was_overtaken_says_how_to_go_on(cli: Cli) -> None:
    await cli.fine("apply", "-", stdin=GREETING)
    await cli.fine("draft", "save", "-", stdin=CHANGED)
    await cli.fine("apply", "-", stdin=GREETING.replace("P1D", "P3D"))
    said = await cli("draft", "publish", "greeting", "--revision", "1")
    assert said.code == 1
    assert "was begun on version 1, and version 2 was published since" in said.err
    await cli.fine("draft", "discard", "greeting", "--revision", "1")
    await cli.fine("draft", "save", "-", stdin=CHANGED)
    assert "version 3" in (await cli.fine("draft", "publish", "greeting", "--revision", "2")).out


async def test_what_is_no_draft_or_more_than_one_is_refused(cli: Cli) -> None:
    for command in (["show"], ["diff"], ["publish", "--revision", "1"], ["discard", "--revision", "1"]):
        said = await cli("draft", *command[:1], "greeting", *command[1:])
        assert (said.code, said.out) == (1, "")
        assert "acme has no draft of greeting" in said.err
    said = await cli("draft", "save", "-", stdin=f"{GREETING}---{GREETING.replace('greeting', 'other')}")
    assert "2 definitions, and a draft is of one" in said.err
