"""The connection to Redis, and the names and the encoding of what is kept there."""

from typing import Any

import orjson
from arq.connections import ArqRedis

from cadence_engine.links import valkey
from cadence_engine.settings import Settings

CONNECT_WITHIN = 1.0
ANSWER_WITHIN = 2.0  # arq itself sets no limit: a frozen server would hang its worker for ever
KEPT_FOR_MS = 60_000  # behind its due time; by then the sweep has long done a job's work

RUN_DUE = "run_due"
"""The one function of the queue; its arguments are the bucket and the job's number among its siblings."""


def connect(settings: Settings) -> ArqRedis:
    """A client with its own connections, made when first used. Close with `aclose(close_connection_pool=True)`."""
    pool = valkey.connections(
        settings,
        socket_connect_timeout=CONNECT_WITHIN,
        socket_timeout=ANSWER_WITHIN,
        health_check_interval=5,
    )
    return ArqRedis(
        pool_or_conn=pool,
        job_serializer=to_json,
        job_deserializer=orjson.loads,
        default_queue_name=queue_name(settings),
        expires_extra_ms=KEPT_FOR_MS,
    )


def queue_name(settings: Settings) -> str:
    return f"{settings.topic_prefix}cadence-engine.wakeups"


def job_id(settings: Settings, bucket: int, sibling: int = 0) -> str:
    """The same for everyone who asks to be woken up for the bucket, so that it is done once."""
    return f"{settings.topic_prefix}due:{bucket}" + (f":{sibling}" if sibling else "")


def to_json(job: dict[str, Any]) -> bytes:
    """JSON, as pickle would let whoever can write to Redis run code here. Of a failure only the type is kept."""
    return orjson.dumps(job, default=lambda value: type(value).__name__)
