"""A worker beside a database whose watermark and log are kept up as the consumer and the relay would."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import pytest
import pytest_asyncio

from cadence_engine.bootstrap import policy_of
from cadence_engine.devstack.servers import Servers
from cadence_engine.domain.cadence import CadenceVersion
from cadence_engine.health import Readiness
from cadence_engine.scheduling import worker
from cadence_engine.scheduling.ticker import tick
from cadence_engine.settings import Settings
from cadence_engine.storage import database
from cadence_engine.storage.connection import Pool
from tests.handlers.conftest import Stage, definition, stage

__all__ = ["stage"]

T = TypeVar("T")
NEVER = 3600.0
"""Seconds: a loop with this interval runs once at the start, and not again within a test."""

ENROLLED = """
    INSERT INTO cadence_enrollments (company_id, enrollment_id, cadence_id, version, contact_id, status, step_index,
                                     next_run_at, revision, trigger, triggered_at, started_at)
    SELECT $1, gen_random_uuid(), $2, $3, contact_id, 'active', 0, clock_timestamp() + $4, 1, 'api', now(), now()
    FROM unnest($5::text[]) AS contact_id
"""


async def eventually(look: Callable[[], Awaitable[T]], until: Callable[[T], bool], within: float = 30.0) -> T:
    """What `look` saw once it fits; fails with what it saw last."""
    deadline = time.monotonic() + within
    while not until(seen := await look()):
        assert time.monotonic() < deadline, f"never came true; last seen: {seen!r}"
        await asyncio.sleep(0.02)
    return seen


@dataclass(frozen=True)
class Desk:
    """Where a test stands: a database with one cadence of one step, and workers to let loose on it."""

    stage: Stage
    settings: Settings
    version: CadenceVersion

    @property
    def pool(self) -> Pool:
        return self.stage.pool

    async def due(self, contacts: int, *, after: timedelta, version: CadenceVersion | None = None) -> None:
        """Enroll so many further contacts, their step due then, in another company's cadence if one is given."""
        version = version or self.version
        ids = [uuid.uuid4().hex for _ in range(contacts)]
        phones = [f"+55119{n:08d}" for n in range(contacts)]
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(
                """
                INSERT INTO contacts (company_id, contact_id, phone, phone_at)
                SELECT $1, contact.id, contact.phone, now() FROM unnest($2::text[], $3::text[]) AS contact (id, phone)
                """,
                version.company_id,
                ids,
                phones,
            )
            await connection.execute(ENROLLED, version.company_id, version.cadence_id, version.version, after, ids)

    async def sent(self, company: str | None = None) -> int:
        """How many sends were decided so far, for one company if it is given."""
        count = (
            "SELECT count(*) FROM cadence_events WHERE type LIKE 'whatsapp.%' AND company_id = coalesce($1, company_id)"
        )
        return int(await self.pool.fetchval(count, company))

    async def lateness(self) -> list[timedelta]:
        """Between due time and decision, of every step that ran."""
        rows = await self.pool.fetch(
            """
            SELECT logged_at - (data ->> 'dueAt')::timestamptz AS late FROM cadence_events WHERE type LIKE 'whatsapp.%'
            """
        )
        return [row["late"] for row in rows]

    async def all_sent(self, contacts: int, within: float = 30.0) -> None:
        """Wait until so many sends were decided; more would be wrong."""
        await eventually(self.sent, lambda sent: sent >= contacts, within)
        assert await self.sent() == contacts

    @asynccontextmanager
    async def worker(self, **changed: object) -> AsyncIterator[Readiness]:
        """A worker with these settings, in this process, until the context ends."""
        settings = self.settings.model_copy(update=changed)
        stop, readiness = asyncio.Event(), Readiness()
        readiness.degrade("waker", "not begun: so that a test can wait for it to listen")
        pool = await database.connect(
            settings.database_url.get_secret_value(), process="worker", size=settings.pool_size
        )
        running = asyncio.create_task(worker.run(settings, policy_of(settings), pool, stop, readiness))
        try:
            yield readiness
        finally:
            stop.set()
            async with asyncio.timeout(10):
                await running
                await pool.close()


@pytest_asyncio.fixture
async def desk(stage: Stage, settings: Settings) -> Desk:
    return Desk(stage, settings, await stage.publish(definition(waits=[definition().steps[0].wait])))


@pytest.fixture
def settings(servers: Servers, database_url: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Of a worker on the session's servers, with a queue of its own."""
    for name, value in servers.addresses.as_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("CADENCE_TOPIC_PREFIX", topic_prefix)
    return Settings()


@pytest_asyncio.fixture
async def road_is_clear(stage: Stage) -> AsyncIterator[None]:
    """Replies are applied and the log is published all the time, as in a deployment that is well."""
    stop = asyncio.Event()

    async def keep_up() -> bool:
        await stage.pool.execute("UPDATE reply_gate SET watermark = clock_timestamp()")
        await stage.pool.execute("UPDATE event_batches SET published_at = now() WHERE published_at IS NULL")
        return False

    keeping = asyncio.create_task(tick("road", keep_up, every=0.02, stop=stop, readiness=Readiness()))
    yield
    stop.set()
    await keeping
