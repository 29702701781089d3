"""Giving out API keys, and taking them back."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from cadence_engine.domain import api_key as rule
from cadence_engine.domain.api_key import ApiKey, Scope
from cadence_engine.storage import api_keys, companies
from cadence_engine.storage.database import UnitOfWork


@dataclass(frozen=True, slots=True)
class NewKey:
    """An id and a secret that were drawn for a key; `text` is shown once and kept nowhere."""

    key_id: str
    secret: bytes

    @property
    def text(self) -> str:
        return rule.written(self.key_id, self.secret)

    @property
    def digest(self) -> bytes:
        return rule.digest_of(self.text)


@dataclass(frozen=True, slots=True)
class Rotated:
    """Both count until `old.expires_at`."""

    old: ApiKey
    new: ApiKey


@dataclass(frozen=True, slots=True)
class Revoked:
    """It counts no more, or did not before: asking again is fine."""

    key: ApiKey


@dataclass(frozen=True, slots=True)
class NotFound:
    """The company has no such key."""


@dataclass(frozen=True, slots=True)
class Ended:
    """It counts no more: there is nothing left to rotate."""

    key: ApiKey


async def create_key(
    unit: UnitOfWork,
    company_id: str,
    *,
    name: str,
    scopes: Collection[Scope],
    lifetime: timedelta | None,
    drawn: NewKey,
    actor: str,
) -> ApiKey:
    """A new key of the company, which is made where it is unknown. `lifetime` None: for ever."""
    await companies.ensure(unit.connection, [company_id])
    key = ApiKey(
        company_id=company_id,
        key_id=drawn.key_id,
        name=name,
        digest=drawn.digest,
        scopes=frozenset(scopes),
        created_at=unit.now,
        created_by=actor,
        expires_at=None if lifetime is None else unit.now + lifetime,
    )
    await api_keys.insert(unit.connection, key)
    return key


async def rotate_key(
    unit: UnitOfWork, company_id: str, key_id: str, *, overlap: timedelta, drawn: NewKey, actor: str
) -> Rotated | NotFound | Ended:
    """Another key that may do the same; the old one counts for `overlap` longer."""
    key = await api_keys.lock(unit.connection, company_id, key_id)
    if key is None:
        return NotFound()
    if not key.counts(unit.now):
        return Ended(key)
    new = rule.successor(key, drawn.key_id, drawn.digest, actor=actor, now=unit.now)
    await api_keys.insert(unit.connection, new)
    old = rule.rotated(key, new.key_id, overlap=overlap, now=unit.now)
    await api_keys.end(unit.connection, old)
    return Rotated(old, new)


async def revoke_key(unit: UnitOfWork, company_id: str, key_id: str, *, actor: str) -> Revoked | NotFound:
    """End a key at once."""
    key = await api_keys.lock(unit.connection, company_id, key_id)
    if key is None:
        return NotFound()
    revoked = rule.revoked(key, actor=actor, now=unit.now)
    await api_keys.end(unit.connection, revoked)
    return Revoked(revoked)
