"""Who calls: the credential in the header Authorization, and nothing else, says the company."""

from cadence_engine.api import keys
from cadence_engine.api.call import Principal
from cadence_engine.api.problems import Code, Problem
from cadence_engine.api.tokens import Issuer
from cadence_engine.domain.api_key import MARK, Scope, id_in
from cadence_engine.storage.connection import Pool

SCHEME = "bearer"
MOST_CHARACTERS = 8000
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="cadence-engine"'}


class Credentials:
    """Reads credentials; `issuer` None: API keys only."""

    def __init__(self, pool: Pool, issuer: Issuer | None) -> None:
        self._pool = pool
        self._issuer = issuer

    async def principal(self, authorization: str | None) -> Principal:
        """Who sent that header. Raises Problem."""
        try:
            return await self._principal(authorization)
        except Problem as problem:
            if problem.kind.status == 401:
                problem.headers = CHALLENGE
            raise

    async def _principal(self, authorization: str | None) -> Principal:
        scheme, _, credential = (authorization or "").partition(" ")
        if scheme.lower() != SCHEME or not 0 < len(credential) <= MOST_CHARACTERS:
            raise Problem(Code.UNAUTHENTICATED, "no credential was sent")
        if credential.startswith(f"{MARK}_"):
            key_id = id_in(credential)
            if key_id is None:
                raise Problem(Code.UNAUTHENTICATED, "the API key is cut off")
            return await keys.principal(self._pool, credential, key_id)
        if self._issuer is None:
            raise Problem(Code.UNAUTHENTICATED, "the credential is no API key, and no issuer of tokens is set")
        return await self._issuer.principal(credential)


def demand(principal: Principal, scope: Scope) -> None:
    """Raises Problem where the caller lacks `scope`."""
    if scope not in principal.scopes:
        raise Problem(Code.MISSING_SCOPE, f"the scope `{scope}` is needed")
