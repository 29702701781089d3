"""What is particular to a company, set from the command line."""

import pytest

from cadence_engine.storage.connection import Pool
from tests.cli.conftest import Cli, Known
from tests.cli.test_holding import enroll_all, publish


async def test_what_is_given_is_set_and_the_rest_stays(cli: Cli, pool: Pool) -> None:
    first = await cli.fine(
        *("company", "set", "--inactive-days", "30", "--inactivity-limit", "none", "--detector-hour", "8"),
        *("--time-zone", "America/Sao_Paulo", "--locale", "pt-BR", "--name", "ACME Ltda.", "--json"),
    )
    assert first.json == {
        "company_id": "acme",
        "name": "ACME Ltda.",
        "time_zone": "America/Sao_Paulo",
        "locale": "pt-BR",
        "inactive_days": 30,
        "inactivity_limit": None,
        "detector_hour": 8,
    }
    second = await cli.fine("company", "set", "--inactivity-limit", "0", "--locale", "none", "--json")
    assert second.json == first.json | {"inactivity_limit": 0, "locale": None}
    assert (await cli.fine("company", "show", "--json")).json == second.json
    assert "America/Sao_Paulo" in (await cli.fine("company", "show")).out
    told_at = await pool.fetchrow("SELECT time_zone_at IS NOT NULL, locale_at IS NOT NULL, revision FROM companies")
    assert tuple(told_at or ()) == (True, True, 2)


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--time-zone", "Sao_Paulo", "is no zone of the IANA database"),
        ("--locale", "pt_BR!", "is no BCP 47 language tag"),
        ("--inactivity-limit", "many", "must be a whole number"),
        ("--inactivity-limit", "-1", "must be a whole number"),
        ("--inactive-days", "0", "greater than or equal to 1"),
        ("--detector-hour", "24", "less than or equal to 23"),
        ("--name", "a\nb", "on one line"),
    ],
)
async def test_a_wrong_value_is_refused_with_what_is_allowed(cli: Cli, option: str, value: str, says: str) -> None:
    said = await cli("company", "set", f"{option}={value}")
    assert said.code == 2
    assert says in " ".join(said.err.replace("│", " ").split())


async def test_nothing_to_set_and_nothing_known(cli: Cli) -> None:
    assert (await cli("company", "set")).err == "nothing to set: give at least one option, see --help\n"
    said = await cli("company", "show")
    assert (said.code, "no company acme is known" in said.err) == (1, True)


async def test_a_company_is_erased_only_when_that_is_meant(cli: Cli, known: Known, pool: Pool) -> None:
    await known("ana")
    await enroll_all(pool, await publish(pool), "ana")
    command = ("company", "erase", "--company", "acme", "--reason", "contract ended")
    assert (await cli(*command)).code == 1
    assert "erasure" not in (await cli.fine("company", "show", "--json")).json
    assert "acme is halted, and is being erased" in (await cli.fine(*command, "--yes")).out
    shown = (await cli.fine("company", "show", "--json")).json["erasure"]
    assert (shown["actor"], shown["reason"], shown["finished_at"]) == ("olga", "contract ended", None)
    assert "by olga; under way" in (await cli.fine("company", "show")).out
    assert "No step runs, acme is halted by olga" in (await cli.fine("list")).out
    said = await cli("company", "erase", "--company", "acne", "--reason", "?", "--yes")
    assert (said.code, said.err) == (1, "no company acne is known: is the name right?\n")
