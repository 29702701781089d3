"""Holding every step, as an operator does and sees it."""

from cadence_engine.storage.connection import Pool
from tests.cli.conftest import Cli, Known
from tests.cli.test_holding import enroll_all, publish

WHY = ("--reason", "wrong template")


async def test_a_halt_is_seen_wherever_an_operator_looks(cli: Cli, known: Known, pool: Pool) -> None:
    await known("ana")
    await enroll_all(pool, await publish(pool), "ana")
    said = await cli.fine("halt", "--company", "acme", *WHY)
    assert said.out == "acme is halted: no step runs until `cadence-engine unhalt`\n"
    for command in (("status", "ana"), ("list",), ("halts",)):
        out = (await cli.fine(*command)).out
        assert "wrong template" in out, command
        assert "olga" in out, command
    assert "No step runs, acme is halted by olga since" in (await cli.fine("list")).out
    (shown,) = (await cli.fine("status", "ana", "--json")).json["halts"]
    assert (shown["company_id"], shown["reason"], shown["ended_at"]) == ("acme", "wrong template", None)
    assert "halted already, by olga since" in (await cli.fine("halt", "--company", "acme", "--reason", "again")).out

    assert "acme is halted no more" in (await cli.fine("unhalt", "--company", "acme", "--reason", "mended")).out
    assert "acme is not halted" in (await cli.fine("unhalt", "--company", "acme")).out
    assert "halted" not in (await cli.fine("status", "ana")).out
    (kept,) = (await cli.fine("halts", "--json")).json
    assert (kept["started_by"], kept["reason"], kept["ended_by"], kept["end_reason"]) == (
        "olga",
        "wrong template",
        "olga",
        "mended",
    )


async def test_all_may_be_halted_beside_one(cli: Cli, known: Known, pool: Pool) -> None:
    await known("ana")
    await publish(pool)
    await cli.fine("halt", "--company", "acme", *WHY)
    await cli.fine("halt", "--all", "--reason", "the number is blocked")
    out = (await cli.fine("status", "ana")).out
    assert "every company is halted by olga" in out
    assert "acme is halted by olga" in out
    assert (await cli.fine("status", "ana", "--json")).json["gate"]["held"] == "halted"
    # What still holds the company is said where one of the two ends.
    assert "every company is halted by olga" in (await cli.fine("unhalt", "--company", "acme")).out


async def test_whose_steps_is_to_be_said(cli: Cli) -> None:
    for whose in ((), ("--company", "acme", "--all")):
        said = await cli("halt", *whose, *WHY)
        assert (said.code, said.err) == (1, "whose steps? either --company NAME or --all\n")
    said = await cli("halt", "--company", "acne", *WHY)
    assert said.code == 1
    assert "no company acne is known" in said.err
    assert (await cli("halt", "--all")).code == 2
    assert (await cli.fine("halts")).out == "nothing was ever halted\n"
