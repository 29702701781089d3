"""How values of Python travel to PostgreSQL and back, where asyncpg's own way is not wanted."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

import orjson

from cadence_engine.storage.connection import Connection

JSONB_VERSION = b"\x01"
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
INSTANTS_KEPT = 4096


async def prepare(connection: Connection) -> None:
    """JSON as what it holds, and instants as aware datetimes in UTC. An infinite one cannot be read."""
    # All in their binary form, which COPY needs.
    await connection.set_type_codec(
        "json", schema="pg_catalog", format="binary", encoder=orjson.dumps, decoder=orjson.loads
    )
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: JSONB_VERSION + orjson.dumps(value),
        decoder=lambda written: orjson.loads(written[len(JSONB_VERSION) :]),
    )
    await connection.set_type_codec(
        "timestamptz", schema="pg_catalog", format="tuple", encoder=_microseconds, decoder=_instant
    )


# The rows of a batch tell of a few instants many times: remembering them costs a third of converting each (measured).


@lru_cache(maxsize=INSTANTS_KEPT)
def _microseconds(instant: datetime) -> tuple[int]:
    return ((instant - EPOCH) // MICROSECOND,)


@lru_cache(maxsize=INSTANTS_KEPT)
def _instant(microseconds: tuple[int]) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds[0])
