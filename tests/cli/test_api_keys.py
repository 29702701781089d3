"""Keys for the API, given out and taken back from the command line."""

import pytest

from cadence_engine.domain.api_key import digest_of, id_in
from cadence_engine.storage.connection import Pool
from tests.cli.conftest import Cli


async def test_a_key_is_shown_once_and_kept_as_its_digest(cli: Cli, pool: Pool) -> None:
    made = await cli.fine("api-key", "create", "crm", "--scope", "read", "--scope", "operate", "--lifetime", "P90D")
    key = made.out.strip()
    assert id_in(key)
    assert "not shown again" in made.err
    row = await pool.fetchrow("SELECT *, expires_at - created_at AS lifetime FROM api_keys")
    assert row is not None
    assert (row["digest"], row["company_id"], row["created_by"]) == (digest_of(key), "acme", "olga")
    assert row["lifetime"].days == 90

    listed = await cli.fine("api-key", "list", "--json")
    assert [(each["key_id"], each["name"], each["scopes"]) for each in listed.json] == [
        (id_in(key), "crm", ["operate", "read"])
    ]
    shown = (await cli.fine("api-key", "list")).out
    assert key not in shown
    assert "operate, read" in shown


async def test_rotating_makes_another_that_may_do_the_same(cli: Cli) -> None:
    old = (await cli.fine("api-key", "create", "crm", "--scope", "read", "--json")).json
    new = (await cli.fine("api-key", "rotate", old["key_id"], "--overlap", "PT1H", "--json")).json
    assert (new["name"], new["scopes"], new["expires_at"]) == ("crm", ["read"], None)
    assert new["key"] != old["key"]
    first, second = (await cli.fine("api-key", "list", "--json")).json
    assert (first["rotated_to"], second["key_id"]) == (new["key_id"], new["key_id"])
    assert first["expires_at"]

    at_once = await cli.fine("api-key", "rotate", new["key_id"], "--overlap", "PT0S")
    assert at_once.out.startswith("cadence_")
    refused = await cli("api-key", "rotate", new["key_id"])
    assert (refused.code, "counts no more" in refused.err) == (1, True)


async def test_revoking_ends_it_and_again_is_fine(cli: Cli) -> None:
    made = (await cli.fine("api-key", "create", "crm", "--scope", "admin", "--json")).json
    first = await cli.fine("api-key", "revoke", made["key_id"])
    assert "by olga" in first.out
    assert (await cli.fine("api-key", "revoke", made["key_id"], "--actor", "eve")).out == first.out


async def test_a_key_of_another_company_is_not_there(cli: Cli) -> None:
    made = (await cli.fine("api-key", "create", "crm", "--scope", "read", "--json")).json
    for verb in ("rotate", "revoke"):
        said = await cli("api-key", verb, made["key_id"], "--company", "other")
        assert (said.code, said.err) == (1, f"other has no key {made['key_id']}: see `cadence-engine api-key list`\n")
    assert "other has no key" in (await cli.fine("api-key", "list", "--company", "other")).out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("crm",), "Missing option '--scope'"),
        (("crm", "--scope", "all"), "'read', 'operate', 'define', 'admin'"),
        (("crm", "--scope", "read", "--lifetime", "90"), "no ISO 8601 duration"),
        (("crm", "--scope", "read", "--lifetime", "P20000D"), "at most 3650 days"),
        (("a\nb", "--scope", "read"), "on one line"),
    ],
)
async def test_a_wrong_option_is_refused_with_what_is_allowed(cli: Cli, arguments: tuple[str, ...], says: str) -> None:
    said = await cli("api-key", "create", *arguments)
    assert said.code == 2
    assert says in " ".join(said.err.replace("│", " ").split())
