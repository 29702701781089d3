"""Tokens of an OIDC issuer: what is pinned is held to."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest
import pytest_asyncio
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from cadence_engine.api import tokens
from cadence_engine.devstack.ports import HOST, free_port
from tests.api.conftest import Api, Serve

SIGNING = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ANOTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CURVE = ec.generate_private_key(ec.SECP256R1())


def jwk(key: Any, kid: str, algorithm: Any) -> dict[str, Any]:
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}


class TestIssuer:
    """Answers its configuration and its keys over HTTP; `asked` counts how often."""

    __test__ = False

    def __init__(self, port: int) -> None:
        self.url = f"http://{HOST}:{port}"
        self.asked = 0
        self.away = False
        self.keys = [jwk(SIGNING, "one", jwt.algorithms.RSAAlgorithm), jwk(CURVE, "curve", jwt.algorithms.ECAlgorithm)]

    async def configuration(self, _: web.Request) -> web.Response:
        return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/keys"})

    async def published(self, _: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(status=503) if self.away else web.json_response({"keys": self.keys})

    def token(self, key: Any = SIGNING, kid: str | None = "one", algorithm: str = "RS256", **changed: Any) -> str:
        claims = {
            "iss": self.url,
            "aud": "cadence-engine",
            "sub": "olga",
            "company_id": "acme",
            "scope": "openid cadence:read",
            "exp": time.time() + 600,
            **changed,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, key, algorithm, headers=None if kid is None else {"kid": kid})


@asynccontextmanager
async def issuing() -> AsyncIterator[TestIssuer]:
    port = free_port()
    issuer = TestIssuer(port)
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", issuer.configuration)
    app.router.add_get("/keys", issuer.published)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    yield issuer
    await runner.cleanup()


@pytest_asyncio.fixture
async def issuer() -> AsyncIterator[TestIssuer]:
    async with issuing() as issuer:
        yield issuer


@pytest_asyncio.fixture
async def api(serve: Serve, issuer: TestIssuer) -> AsyncIterator[Api]:
    async with serve(oidc_issuer=issuer.url, oidc_algorithms=("RS256", "ES256")) as api:
        yield api


async def test_a_good_token_is_let_in_and_its_subject_is_the_actor(api: Api, issuer: TestIssuer) -> None:
    token = issuer.token(scope="cadence:read cadence:operate cadence:define cadence:nonsense")
    (await api.published(token)).fine(201)
    told = (await api("POST", "/v1/cadences/welcome/pause", token)).fine()
    assert told["actor"] == "token:olga"
    (await api("PATCH", "/v1/company", token, json={})).problem(403, "missing_scope")
    by_curve = issuer.token(CURVE, "curve", "ES256", scope=["cadence:read"])
    (await api("GET", "/v1/cadences", by_curve)).fine()
    assert issuer.asked == 1


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"iss": "https://elsewhere.example"}, "another issuer"),
        ({"aud": "another-service"}, "another audience"),
        ({"aud": None}, "lacks `aud`"),
        ({"exp": None}, "lacks `exp`"),
        ({"sub": None}, "lacks `sub`"),
        ({"nbf": time.time() + 3600}, "does not count yet"),
        ({"company_id": None}, "names no company"),
        ({"company_id": ""}, "names no company"),
        ({"company_id": 7}, "names no company"),
        ({"company_id": "a\x00b"}, "names no company"),
        ({"key": ANOTHER}, "its signature"),
        ({"kid": "two"}, "none of its issuer's"),
        ({"kid": None}, "does not name its key"),
        ({"key": CURVE, "algorithm": "ES256"}, ""),
        ({"algorithm": "RS512"}, "not signed by RS256, ES256"),
        ({"key": "a shared secret that is long enough for it", "algorithm": "HS256"}, "not signed by RS256, ES256"),
        ({"key": None, "algorithm": "none"}, "not signed by RS256, ES256"),
    ],
)
async def test_a_token_that_is_not_as_pinned_does_not_count(
    api: Api, issuer: TestIssuer, changed: dict[str, Any], says: str
) -> None:
    token = issuer.token(**changed)
    assert says in (await api("GET", "/v1/cadences", token)).problem(401, "unauthenticated")["detail"]


async def test_an_expired_token_counts_no_more(api: Api, issuer: TestIssuer) -> None:
    token = issuer.token(exp=time.time() - tokens.LEEWAY - 5)
    (await api("GET", "/v1/cadences", token)).problem(401, "credential_ended")
    (await api("GET", "/v1/cadences", issuer.token(exp=time.time() - 5))).fine()


async def test_a_new_key_is_found_and_the_issuer_is_not_flooded(
    api: Api, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    (await api("GET", "/v1/cadences", issuer.token())).fine()
    issuer.keys.append(jwk(ANOTHER, "two", jwt.algorithms.RSAAlgorithm))
    asking = [api("GET", "/v1/cadences", issuer.token(ANOTHER, "two")) for _ in range(20)]
    assert {said.status for said in await asyncio.gather(*asking)} == {401}
    assert issuer.asked == 1
    monkeypatch.setattr(tokens, "ASK_AT_MOST_EVERY", 0.0)
    (await api("GET", "/v1/cadences", issuer.token(ANOTHER, "two"))).fine()
    assert issuer.asked == 2


async def test_an_issuer_that_is_away_is_told_apart_from_a_bad_token(
    api: Api, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer.away = True
    (await api("GET", "/v1/cadences", issuer.token())).problem(503, "issuer_unreachable")
    (await api("GET", "/v1/cadences", issuer.token())).problem(503, "issuer_unreachable")
    assert issuer.asked == 1
    (await api("GET", "/v1/cadences", await api.key())).fine()

    monkeypatch.setattr(tokens, "ASK_AT_MOST_EVERY", 0.0)
    issuer.away = False
    (await api("GET", "/v1/cadences", issuer.token())).fine()
    issuer.away = True
    monkeypatch.setattr(tokens, "KEPT_FOR", 0.0)
    (await api("GET", "/v1/cadences", issuer.token())).fine()  # what is known goes on to count


async def test_without_an_issuer_no_token_counts(serve: Serve, issuer: TestIssuer) -> None:
    async with serve() as api:
        told = (await api("GET", "/v1/cadences", issuer.token())).problem(401, "unauthenticated")
        assert "no issuer of tokens is set" in told["detail"]
