"""What a rival's process works with: a pool of connections, a producer, and what one step takes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import orjson
from aiokafka import AIOKafkaProducer

from cadence_contracts import structured_value, topics
from cadence_contracts.fields import format_time
from cadence_contracts.records import STRUCTURED_HEADERS
from cadence_engine.settings import Settings
from cadence_engine.storage import database
from cadence_engine.storage.connection import Pool
from tests.bench import seed
from tests.bench.rivals import table

WAIT: Final = timedelta(days=1)
SEND_WITHIN: Final = timedelta(hours=1)
CONNECTIONS: Final = 24


@dataclass(frozen=True, slots=True)
class Desk:
    """`process` is this process's number, from 0."""

    settings: Settings
    process: int
    pool: Pool
    producer: AIOKafkaProducer

    async def run_step(self, enrollment_id: UUID) -> None:
        """A job's whole work: load, publish both records and wait for Kafka, move on. Once more if it is repeated."""
        row = await self.pool.fetchrow(table.ONE, enrollment_id)
        if row is None or row["step_index"]:
            return
        now = datetime.now(UTC)
        await asyncio.gather(*[await self.hand_over(row, *event) for event in told(row, now)])
        await self.advance(row, now)

    async def hand_over(
        self, row: asyncpg.Record, type_: str, id_: str, data: Mapping[str, Any]
    ) -> "asyncio.Future[Any]":
        """Give the record to the producer; answers what its acknowledgement can be awaited by."""
        value = structured_value(
            id=id_, type=type_, time=data.get("at") or data["requestedAt"], data_json=orjson.dumps(data)
        )
        future: asyncio.Future[Any] = await self.producer.send(
            self.settings.topic(topics.topic_of(type_)),
            value=value,
            key=row["contact_id"].encode(),
            headers=list(STRUCTURED_HEADERS),
        )
        return future

    async def advance(self, row: asyncpg.Record, now: datetime) -> None:
        await self.pool.execute(table.ADVANCE, row["enrollment_id"], now + WAIT)


def told(row: asyncpg.Record, now: datetime) -> tuple[tuple[str, str, Mapping[str, Any]], ...]:
    """The send and the step event of a step, with the fields of the engine's: type, id and data of each."""
    send_id = str(uuid4())
    at = format_time(now)
    due_at = format_time(row["next_run_at"])
    whose = {
        "companyId": row["company_id"],
        "contactId": row["contact_id"],
        "enrollmentId": str(row["enrollment_id"]),
        "cadenceId": str(row["cadence_id"]),
        "cadenceKey": row["cadence_key"],
        "version": row["version"],
        "stepKey": "welcome",
        "stepIndex": row["step_index"],
        "dueAt": due_at,
        "sendId": send_id,
    }
    send = whose | {
        "to": row["phone"],
        "conversationId": None,
        "template": {
            "id": f"{row['cadence_key']}_welcome",
            "language": seed.LANGUAGE,
            "category": "marketing",
            "variables": {"contactName": row["name"]},
        },
        "requestedAt": at,
        "expiresAt": format_time(now + SEND_WITHIN),
    }
    executed = whose | {
        "revision": row["revision"] + 1,
        "at": at,
        "cause": {"actor": "schedule"},
        "nextRunAt": format_time(now + WAIT),
    }
    return (topics.SEND_REQUESTED, send_id, send), (topics.STEP_EXECUTED, str(uuid4()), executed)


@contextlib.asynccontextmanager
async def desk(settings: Settings, process: int) -> AsyncIterator[Desk]:
    """Everything connected, and a connection of the pool for each of many steps at a time."""
    url = settings.database_url.get_secret_value()
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        acks="all",
        enable_idempotence=True,
        max_batch_size=256 * 1024,
    )
    async with await database.connect(url, process="rival", size=CONNECTIONS) as pool, producer:
        yield Desk(settings, process, pool, producer)
