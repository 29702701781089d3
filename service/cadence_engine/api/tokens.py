"""Callers with a token of the deployment's OIDC issuer."""

import asyncio
from time import monotonic
from typing import Any, Self

import aiohttp
import jwt
import structlog
from pydantic import TypeAdapter, ValidationError

from cadence_contracts.fields import ExternalId
from cadence_engine.api.call import Principal
from cadence_engine.api.problems import Code, Problem
from cadence_engine.domain.api_key import Scope
from cadence_engine.settings import Settings
from cadence_engine.telemetry import describe

log = structlog.stdlib.get_logger("cadence_engine.api")

KEPT_FOR = 600.0  # seconds; a key that the issuer takes back counts no longer than that
ASK_AT_MOST_EVERY = 15.0  # seconds: tokens with an invented key id must not make us flood the issuer
ASK_WITHIN = 3.0
LEEWAY = 30  # seconds between the issuer's clock and ours
MOST_KEYS = 100
SCOPE_PREFIX = "cadence:"
REQUIRED = ["exp", "iss", "aud", "sub"]
COMPANY_ID: TypeAdapter[str] = TypeAdapter(ExternalId)


class Issuer:
    """Checks tokens against the issuer's published keys, which are fetched when first needed and then kept.

    To be used as an async context manager, which closes its connections.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ASK_WITHIN))
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = self._asked_at = float("-inf")
        self._asking = asyncio.Lock()

    async def principal(self, token: str) -> Principal:
        """Who the token says is calling, for which company. Raises Problem."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            raise Problem(Code.UNAUTHENTICATED, "the credential is neither an API key nor a token") from None
        if header.get("alg") not in self._settings.oidc_algorithms:
            raise Problem(
                Code.UNAUTHENTICATED, f"the token is not signed by {', '.join(self._settings.oidc_algorithms)}"
            )
        key = await self._key(header.get("kid"))
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=list(self._settings.oidc_algorithms),
                audience=self._settings.oidc_audience,
                issuer=self._settings.oidc_issuer,
                leeway=LEEWAY,
                options={"require": REQUIRED},
            )
        except jwt.ExpiredSignatureError:
            raise Problem(Code.CREDENTIAL_ENDED, "the token has expired") from None
        except jwt.InvalidTokenError as error:
            raise Problem(Code.UNAUTHENTICATED, f"the token does not count: {_why(error)}") from None
        return self._principal(claims)

    def _principal(self, claims: dict[str, Any]) -> Principal:
        claim = self._settings.oidc_company_claim
        try:
            company_id = COMPANY_ID.validate_python(claims.get(claim), strict=True)
            subject = COMPANY_ID.validate_python(claims["sub"], strict=True)
        except ValidationError:
            raise Problem(Code.UNAUTHENTICATED, f"the token names no company in `{claim}`, or no `sub`") from None
        told = claims.get(self._settings.oidc_scope_claim)
        words = told.split() if isinstance(told, str) else told if isinstance(told, list) else []
        scopes = frozenset(scope for scope in Scope if SCOPE_PREFIX + scope in words)
        return Principal(company_id, f"token:{subject}", scopes, f"token:{company_id}:{subject}")

    async def _key(self, kid: object) -> jwt.PyJWK:
        if not isinstance(kid, str):
            raise Problem(Code.UNAUTHENTICATED, "the token does not name its key (kid)")
        if kid not in self._keys or monotonic() - self._fetched_at > KEPT_FOR:
            await self._fetch(kid)
        key = self._keys.get(kid)
        if key is None:
            raise Problem(Code.UNAUTHENTICATED, "the token's key is none of its issuer's")
        return key

    async def _fetch(self, kid: str) -> None:
        """Ask the issuer, but not again and again; without an answer, keys that are known go on to count."""
        async with self._asking:
            now = monotonic()
            if now - self._asked_at < ASK_AT_MOST_EVERY:
                if self._fetched_at < self._asked_at and kid not in self._keys:
                    raise Problem(Code.ISSUER_UNREACHABLE)
                return
            self._asked_at = now
            try:
                self._keys = await self._published()
            except (aiohttp.ClientError, TimeoutError, ValueError, TypeError, KeyError, jwt.PyJWKError) as error:
                log.warning("issuer_unreachable", reason=describe(error))
                if kid not in self._keys:
                    raise Problem(Code.ISSUER_UNREACHABLE) from error
            else:
                self._fetched_at = monotonic()

    async def _published(self) -> dict[str, jwt.PyJWK]:
        address = self._settings.oidc_jwks_url or await self._discovered()
        told = (await self._get(address))["keys"][:MOST_KEYS]
        keys = {}
        for each in told:
            if each.get("use", "sig") == "sig" and each.get("kty") != "oct" and "kid" in each:
                try:
                    keys[str(each["kid"])] = jwt.PyJWK.from_dict(each)
                except jwt.PyJWKError as error:  # of a kind that PyJWT does not know: the others count nevertheless
                    log.info("issuer_key_ignored", reason=describe(error))
        return keys

    async def _discovered(self) -> str:
        issuer = str(self._settings.oidc_issuer)
        told = await self._get(issuer.rstrip("/") + "/.well-known/openid-configuration")
        if told["issuer"] != issuer:
            raise ValueError("the issuer's configuration is another issuer's")
        return str(told["jwks_uri"])

    async def _get(self, address: str) -> Any:
        async with self._session.get(address, allow_redirects=False) as answer:
            answer.raise_for_status()
            return await answer.json(content_type=None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()


def _why(error: jwt.InvalidTokenError) -> str:
    """By the kind of the error: some texts quote the token."""
    match error:
        case jwt.InvalidAudienceError():
            return "it is for another audience"
        case jwt.InvalidIssuerError():
            return "it is of another issuer"
        case jwt.InvalidSignatureError():
            return "its signature is not its key's"
        case jwt.ImmatureSignatureError():
            return "it does not count yet"
        case jwt.MissingRequiredClaimError():
            return f"it lacks `{error.claim}`"
    return "it is malformed"
