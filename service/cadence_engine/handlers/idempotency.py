"""A caller's idempotency key: what is sent again under it is answered as it was, and nothing happens twice."""

from dataclasses import dataclass
from datetime import timedelta

REMEMBERED = timedelta(days=7)
"""How long after its last use a key's answers are kept."""


@dataclass(frozen=True, slots=True)
class KeyUsedForAnother:
    """The idempotency key was used for another request."""
