"""Definitions kept in files: what would change, and the files for what there is."""

from pathlib import Path

import pytest

from tests.cli.conftest import Cli

GREETING = """
key: greeting
name: Greeting
trigger: {event: api}
steps:
  - {key: hello, wait: P1D, template: {id: hello_1, variables: {zone: {from: contact.timeZone, else: UTC}, a: b}}}
  - {key: bye, wait: P2D, template: {id: bye_1}}
"""


async def test_no_difference_is_silence(cli: Cli) -> None:
    await cli.fine("apply", "-", stdin=GREETING)
    # The same meaning in other words.
    other = GREETING.replace("wait: P2D", "offsetDays: 2") + "cancelOn: [reply]\nreplyGrace: PT0S\n"
    said = await cli("diff", "-", stdin=other)
    assert (said.code, said.out, said.err) == (0, "", "")


async def test_a_difference_is_shown_line_by_line_and_nothing_is_applied(cli: Cli) -> None:
    await cli.fine("apply", "-", stdin=GREETING)
    said = await cli("diff", "-", stdin=GREETING.replace("P2D", "P3D"))
    assert said.code == 1
    assert said.out.splitlines()[:2] == ["--- acme/greeting, version 1", "+++ acme/greeting, would be version 2"]
    assert [line for line in said.out.splitlines()[3:] if line[0] in "+-"] == ["-    wait: P2D", "+    wait: P3D"]
    assert (await cli.fine("list", "--json")).json[0]["version"] == 1


async def test_what_would_be_created_is_shown_whole(cli: Cli) -> None:
    said = await cli("diff", "onboarding", "-", stdin=GREETING)
    assert said.code == 1
    assert "+++ acme/onboarding, would be created" in said.out
    assert "+++ acme/greeting, would be created" in said.out
    assert "+name: Greeting" in said.out.splitlines()


async def test_a_cadence_that_does_not_run_says_so(cli: Cli) -> None:
    await cli.fine("apply", "-", stdin=GREETING)
    await cli.fine("pause", "greeting")
    said = await cli("diff", "-", stdin=GREETING.replace("P2D", "P3D"))
    assert "--- acme/greeting, version 1, paused" in said.out


@pytest.mark.parametrize(
    ("arguments", "stdin", "environment", "says"),
    [
        (["absent.yaml"], "", {}, "absent.yaml: no such file"),
        (["-"], GREETING.replace("P1D", "P1M"), {}, "1 problem: nothing was compared."),
        (["-"], GREETING, {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}, "cannot connect to PostgreSQL"),
    ],
)
async def test_what_cannot_be_told_has_its_own_exit_code(
    cli: Cli, arguments: list[str], stdin: str, environment: dict[str, str], says: str
) -> None:
    said = await cli("diff", *arguments, stdin=stdin, **environment)
    assert (said.code, said.out) == (2, "")
    assert says in said.err


async def test_all_of_a_company_as_one_stream_is_applied_again_unchanged(cli: Cli) -> None:
    await cli.fine("apply", "reactivation", "onboarding", "upsell", "-", stdin=GREETING)
    stream = (await cli.fine("export")).out
    keys = ["greeting", "onboarding", "reactivation", "upsell"]
    again = await cli("apply", "-", stdin=stream, CADENCE_COMPANY="")
    assert again.out.splitlines() == [f"acme/{key}: unchanged, version 1" for key in keys]
    assert (await cli("diff", "-", stdin=stream)).code == 0


async def test_all_of_a_company_as_files_of_which_only_the_changed_change(cli: Cli, tmp_path: Path) -> None:
    await cli.fine("apply", "upsell", "-", stdin=GREETING)
    (tmp_path / "cadences").mkdir()
    (tmp_path / "cadences" / "README").write_text("ours")
    assert (await cli.fine("export", "--to", "cadences")).out.splitlines() == [
        "cadences/greeting.yaml",
        "cadences/upsell.yaml",
    ]
    before = {path.name: path.read_text() for path in (tmp_path / "cadences").iterdir()}
    assert set(before) == {"README", "greeting.yaml", "upsell.yaml"}
    await cli.fine("apply", "-", stdin=GREETING.replace("P2D", "P3D"))
    await cli.fine("export", "--to", "cadences")
    after = {path.name: path.read_text() for path in (tmp_path / "cadences").iterdir()}
    assert {name for name in after if after[name] != before[name]} == {"greeting.yaml"}
    assert (await cli.fine("apply", "cadences/greeting.yaml", "cadences/upsell.yaml")).out.splitlines() == [
        "acme/greeting: unchanged, version 2",
        "acme/upsell: unchanged, version 1",
    ]


async def test_archived_ones_and_those_of_other_companies_are_left_out(cli: Cli) -> None:
    await cli.fine("apply", "upsell", "-", stdin=GREETING)
    await cli.fine("apply", "onboarding", "--company", "other")
    await cli.fine("archive", "upsell")
    exported = (await cli.fine("export")).out
    assert [line for line in exported.splitlines() if line.startswith(("key:", "company:"))] == [
        "company: acme",
        "key: greeting",
    ]


async def test_a_stream_too_long_to_be_read_again_is_not_written(cli: Cli, tmp_path: Path) -> None:
    for n in range(3):
        steps = [f"{{key: s{i}, wait: P1D, template: {{id: t, variables: {{a: {'x' * 1000}}}}}}}" for i in range(90)]
        text = f"key: k{n}\nname: K\ntrigger: {{event: api}}\nsteps: [{', '.join(steps)}]\n"
        await cli.fine("apply", "-", stdin=text)
    said = await cli("export")
    assert (said.code, said.out) == (1, "")
    assert "use --to DIR" in said.err
    await cli.fine("export", "--to", ".")
    assert (await cli("diff", "k0.yaml", "k1.yaml", "k2.yaml")).code == 0


async def test_nothing_to_export_is_said_beside_the_stream(cli: Cli) -> None:
    said = await cli.fine("export")
    assert (said.out, said.err) == ("", "acme has no cadence to export\n")
