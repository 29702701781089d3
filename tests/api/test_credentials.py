"""Only a credential that counts is let in, and only to what it may do."""

import secrets
from datetime import UTC, datetime, timedelta

import pytest

from cadence_engine.domain.api_key import SECRET_BYTES, Scope, id_in
from cadence_engine.handlers.api_keys import NewKey, Rotated, revoke_key, rotate_key
from cadence_engine.storage import database
from tests.api.conftest import ACME, DEFINITION, Api


def drawn() -> NewKey:
    return NewKey(secrets.token_hex(6), secrets.token_bytes(SECRET_BYTES))


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Basic dXNlcjpwYXNz",
        "Bearer nonsense",
        "Bearer cadence_",
        "Bearer cadence_0123456789ab_",
        f"Bearer cadence_0123456789ab_{'x' * 43}",
        f"Bearer {'x' * 8050}",
        "Bearer cadence_\xe9_\xe9",
    ],
)
async def test_without_a_credential_that_counts_nobody_is_let_in(api: Api, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    said = await api("GET", "/v1/cadences", headers=headers)
    said.problem(401, "unauthenticated")
    assert said.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_key_with_one_other_character_does_not_count(api: Api) -> None:
    key = await api.key()
    (await api("GET", "/v1/cadences", key)).fine()
    other = key[:-5] + ("A" if key[-5] != "A" else "B") + key[-4:]
    told = (await api("GET", "/v1/cadences", other)).problem(401, "unauthenticated")
    assert other not in str(told)


async def test_a_key_is_not_kept(api: Api) -> None:
    key = await api.key()
    row = await api.pool.fetchrow("SELECT api_keys::text AS whole, digest FROM api_keys")
    assert row is not None
    assert key.split("_", 2)[2] not in row["whole"]
    assert len(row["digest"]) == 32


async def test_an_expired_key_counts_no_more(api: Api) -> None:
    key = await api.key(lifetime=timedelta(hours=1))
    (await api("GET", "/v1/cadences", key)).fine()
    await api.pool.execute("UPDATE api_keys SET expires_at = now()")
    said = await api("GET", "/v1/cadences", key)
    assert "has expired" in said.problem(401, "credential_ended")["detail"]


async def test_a_revoked_key_counts_no_more_at_once(api: Api) -> None:
    key = await api.key()
    key_id = id_in(key) or ""
    (await api("GET", "/v1/cadences", key)).fine()
    await database.run(api.pool, lambda unit: revoke_key(unit, ACME, key_id, actor="olga"))
    assert "was revoked" in (await api("GET", "/v1/cadences", key)).problem(401, "credential_ended")["detail"]


async def test_a_rotated_key_counts_beside_the_new_one_for_a_while(api: Api) -> None:
    key = await api.key(ACME, Scope.READ, lifetime=timedelta(days=90))
    new = drawn()
    rotated, _ = await database.run(
        api.pool,
        lambda unit: rotate_key(unit, ACME, id_in(key) or "", overlap=timedelta(hours=1), drawn=new, actor="olga"),
    )
    assert isinstance(rotated, Rotated)
    for each in (key, new.text):
        (await api("GET", "/v1/cadences", each)).fine()
    (await api("POST", "/v1/cadences/welcome/pause", new.text)).problem(403, "missing_scope")
    ends_in = (rotated.old.expires_at or datetime.max.replace(tzinfo=UTC)) - rotated.new.created_at
    assert ends_in == timedelta(hours=1)

    await api.pool.execute("UPDATE api_keys SET expires_at = now() WHERE rotated_to IS NOT NULL")
    (await api("GET", "/v1/cadences", key)).problem(401, "credential_ended")
    (await api("GET", "/v1/cadences", new.text)).fine()


@pytest.mark.parametrize("scope", Scope)
async def test_a_scope_lets_do_its_own_and_nothing_else(api: Api, scope: Scope) -> None:
    await api.published(await api.key())
    key = await api.key(ACME, scope)
    doors = {
        Scope.READ: await api("GET", "/v1/cadences", key),
        Scope.OPERATE: await api("POST", "/v1/cadences/welcome/pause", key),
        Scope.DEFINE: await api("PUT", "/v1/cadences/welcome", key, json=DEFINITION),
        Scope.ADMIN: await api("PATCH", "/v1/company", key, json={}),
    }
    for door, said in doors.items():
        if door is scope:
            said.fine()
        else:
            assert f"`{door}`" in said.problem(403, "missing_scope")["detail"]
