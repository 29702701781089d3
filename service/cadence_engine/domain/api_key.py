"""API keys: what one may do, how it is written, and until when it counts."""

import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

MARK = "cadence"
"""Begins every key, so that one that lies about in a repository is found by a search."""
SECRET_BYTES = 32


class Scope(StrEnum):
    """What a credential may do. None contains another: whoever only enrolls needs to see nothing."""

    READ = "read"
    OPERATE = "operate"
    DEFINE = "define"
    ADMIN = "admin"

    @property
    def meaning(self) -> str:
        return _MEANING[self]


_MEANING = {
    Scope.READ: "see cadences, enrollments and contacts",
    Scope.OPERATE: "enroll, cancel, pause, resume, halt",
    Scope.DEFINE: "write, publish and archive definitions, move who is on the way to another version",
    Scope.ADMIN: "change the company's settings, erase, replay and drop dead letters",
}


@dataclass(frozen=True, slots=True)
class ApiKey:
    """`digest` is all that is kept of the key itself. `expires_at` None: never."""

    company_id: str
    key_id: str
    name: str
    digest: bytes
    scopes: frozenset[Scope]
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str | None = None
    rotated_to: str | None = None

    def ended_at(self) -> datetime | None:
        """When it counts no more, as far as is known now."""
        ends = [end for end in (self.expires_at, self.revoked_at) if end is not None]
        return min(ends, default=None)

    def counts(self, now: datetime) -> bool:
        ended_at = self.ended_at()
        return ended_at is None or now < ended_at


def written(key_id: str, secret: bytes) -> str:
    """The key as its owner keeps it. `key_id` is no secret and holds no underscore."""
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"a secret is {SECRET_BYTES} random bytes, not {len(secret)}")
    return f"{MARK}_{key_id}_{urlsafe_b64encode(secret).rstrip(b'=').decode()}"


def id_in(text: str) -> str | None:
    """The id in a written key; None where it is not written like one."""
    mark, _, rest = text.partition("_")
    key_id, _, secret = rest.partition("_")
    return key_id if mark == MARK and key_id and secret and text.isascii() else None


def digest_of(text: str) -> bytes:
    """What is kept. A plain hash will do: nobody guesses 256 random bits."""
    return sha256(text.encode()).digest()


def opens(key: ApiKey, text: str) -> bool:
    """Whether `text` is that key, however long it counts; takes the same time whatever differs."""
    return hmac.compare_digest(key.digest, digest_of(text))


def successor(key: ApiKey, key_id: str, digest: bytes, *, actor: str, now: datetime) -> ApiKey:
    """A new key that may do the same, for as long from now as `key` was to count."""
    lifetime = None if key.expires_at is None else key.expires_at - key.created_at
    return ApiKey(
        company_id=key.company_id,
        key_id=key_id,
        name=key.name,
        digest=digest,
        scopes=key.scopes,
        created_at=now,
        created_by=actor,
        expires_at=None if lifetime is None else now + lifetime,
    )


def rotated(key: ApiKey, to: str, *, overlap: timedelta, now: datetime) -> ApiKey:
    """`key` on its way out: it counts for `overlap` longer, at most until it would have ended anyway."""
    ends_at = now + overlap
    return replace(key, rotated_to=to, expires_at=min(key.expires_at or ends_at, ends_at))


def revoked(key: ApiKey, *, actor: str, now: datetime) -> ApiKey:
    """It counts no more; revoked again, it stays as it was."""
    return key if key.revoked_at is not None else replace(key, revoked_at=now, revoked_by=actor)
