"""Simulating a cadence before anybody is in it."""

from pathlib import Path
from xml.etree import ElementTree

from tests.cli.conftest import Cli, Known
from tests.cli.test_passages import GREETING

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
TRIAL = """
key: trial
name: Trial
trigger: {event: purchase.completed, where: {product: trial}}
language: pt_BR
steps:
  - {key: hello, wait: PT10M, template: {id: hello_1, category: marketing, variables: {who: {from: contact.name}}}}
  - {key: bye, wait: P1D, template: {id: bye_1, category: marketing}}
onCompletion: {addTags: [tried]}
"""
SVG = "{http://www.w3.org/2000/svg}"


async def test_a_file_needs_no_database(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "trial.yaml").write_text(TRIAL)
    zone = ("--time-zone", "America/New_York", "--name", "Ana", "--start", "2026-03-07T02:30")
    said = await cli("simulate", "trial.yaml", *zone, "--svg", "trial.svg", DATABASE_URL=NOWHERE)

    assert said.code == 0, said
    hello, bye = [line for line in said.out.splitlines() if line.startswith("2026-03-0")]
    assert hello.startswith("2026-03-07 07:40:00Z")
    assert "Sat 2026-03-07 02:40:00" in hello
    assert "who=Ana" in hello
    # 02:40 does not exist on the next day: the clocks go forward.
    assert bye.startswith("2026-03-08 07:40:00Z")
    assert "Sun 2026-03-08 03:40:00" in bye
    assert "completed 2026-03-08 07:40:00Z, tagged tried" in said.out
    texts = [text.text for text in ElementTree.parse(tmp_path / "trial.svg").iter(f"{SVG}text")]  # noqa: S314  # ours
    assert {"02:40 hello", "03:40 bye"} <= set(texts)
    busy = [each for each in ElementTree.parse(tmp_path / "trial.svg").iter() if each.get("class") == "busy"]  # noqa: S314
    assert len(busy) == 2


async def test_what_would_park_is_said_and_how_a_ready_one_goes(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "trial.yaml").write_text(TRIAL)
    said = await cli("simulate", "trial.yaml", DATABASE_URL=NOWHERE)
    assert "PARKS, missing_variable: variable who needs contact.name" in said.out
    assert "behind it: bye, could be sent" in said.out
    said = await cli("simulate", "trial.yaml", "--context", "product=pro", DATABASE_URL=NOWHERE)
    assert "Nothing starts (where)" in said.out
    unreachable = await cli(
        "simulate", "onboarding", "--unreachable", "--json", CADENCE_COMPANY="", DATABASE_URL=NOWHERE
    )
    assert [step["parks"] for step in unreachable.json["steps"]] == ["unreachable"]


async def test_a_contact_of_the_company_with_a_cadence_of_the_company(cli: Cli, known: Known) -> None:
    await known("ana")
    await cli.fine("apply", "-", stdin=GREETING)
    told = (await cli.fine("simulate", "greeting", "--contact", "ana", "--context", "product=tea", "--json")).json
    assert [step["key"] for step in told["steps"]] == ["hello", "bye"]
    assert told["steps"][0]["variables"] == {"contactName": "Ana", "what": "tea"}

    await cli.fine("pause", "greeting")
    paused = await cli.fine("simulate", "greeting", "--contact", "ana")
    assert paused.err == "greeting is paused: nobody enters it now; simulated as if active\n"
    assert "completed" in paused.out
    nobody = await cli.fine("simulate", "greeting", "--contact", "nobody")
    assert "Nothing starts (contact_not_found)" in nobody.out


async def test_an_audience(cli: Cli, known: Known, tmp_path: Path) -> None:
    await known(*(f"c{n}" for n in range(30)))
    (tmp_path / "ids").write_text("".join(f"c{n}\n" for n in range(32)))
    start = ("--start", "2027-01-04T10:00:00Z")
    arguments = ("simulate", "-", "--audience", "ids", *start)
    said = await cli.fine(*arguments, "--svg", "all.svg", stdin=GREETING)
    assert "greeting v1 for 32 contacts: 30 start" in said.out
    assert "2        contact_not_found" in said.out
    rows = [line.split() for line in said.out.splitlines() if "2027-01-" in line]
    assert rows == [["Tue", "2027-01-05", "30", "0"], ["Thu", "2027-01-07", "0", "30"]]
    texts = [text.text for text in ElementTree.parse(tmp_path / "all.svg").iter(f"{SVG}text")]  # noqa: S314  # ours
    assert texts.count("30") == 2

    told = (await cli.fine(*arguments, "--json", stdin=GREETING)).json
    assert told["sends"] == {"2027-01-05": {"hello": 30}, "2027-01-07": {"bye": 30}}


async def test_what_cannot_be_simulated_says_so(cli: Cli) -> None:
    async def refused(*arguments: str) -> str:
        said = await cli(*arguments)
        assert said.code == 1, said
        return said.err

    assert await refused("simulate", "nothing") == "acme has no cadence at all: see `cadence-engine apply`\n"
    assert "one of them" in await refused("simulate", "onboarding", "--contact", "a", "--detector")
    assert "is not triggered by inactivity" in await refused("simulate", "onboarding", "--detector")
    assert (await cli("simulate", "onboarding", "--start", "noon")).code == 2
    assert (await cli("simulate", "onboarding", "--time-zone", "Mars/Olympus")).code == 2
