"""A short text that tells two choices or requests apart."""

from datetime import UTC, datetime
from hashlib import blake2b
from uuid import UUID

import orjson

SIZE = 16


def digest(said: object) -> str:
    """Of dataclasses, collections and plain values: 32 hexadecimal digits, the same where the same was said.

    Neither the order of names nor the offset that an instant was written with makes a difference.
    """
    options = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATETIME
    return blake2b(orjson.dumps(said, default=_plain, option=options), digest_size=SIZE).hexdigest()


def _plain(value: object) -> object:
    """What orjson does not know by itself."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat()
        case frozenset():
            return sorted(value)
        case tuple():  # a named one
            return tuple(value)
        case UUID():  # asyncpg's own kind
            return str(value)
    raise TypeError(f"{type(value).__name__} has no digest yet")
