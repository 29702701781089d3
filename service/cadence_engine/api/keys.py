"""Callers with an API key."""

from datetime import UTC, datetime

from cadence_engine.api.call import Principal
from cadence_engine.api.problems import Code, Problem
from cadence_engine.domain import api_key as rule
from cadence_engine.storage import api_keys
from cadence_engine.storage.connection import Pool


async def principal(pool: Pool, text: str, key_id: str) -> Principal:
    """Whose key `text` is; asked of the database each time, so that a revoked key ends at once. Raises Problem."""
    async with pool.acquire() as connection:
        key = await api_keys.find(connection, key_id)
    if key is None or not rule.opens(key, text):
        raise Problem(Code.UNAUTHENTICATED, "the API key is not known")
    if not key.counts(datetime.now(UTC)):
        how = "was revoked" if key.revoked_at is not None else "has expired"
        raise Problem(Code.CREDENTIAL_ENDED, f"the API key {key.key_id} {how}")
    return Principal(key.company_id, f"api-key:{key.name}", key.scopes, f"key:{key.key_id}")
