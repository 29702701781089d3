"""Everything around a real engine: its processes, what is published to it, and what came of that for the oracle."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from typing import Final
from uuid import uuid4

from aiokafka import AIOKafkaProducer

from cadence_engine.devstack.errors import DevstackError
from cadence_engine.devstack.fleet import command
from cadence_engine.devstack.servers import Servers
from tests.faults import road
from tests.faults.crew import Crew
from tests.faults.load import Planned
from tests.faults.oracle.definitions import Cadence
from tests.faults.oracle.history import History, OperatorCancel, Record
from tests.faults.oracle.judge import judge, unfinished
from tests.faults.oracle.violations import Promise, Violation
from tests.faults.plan import CADENCES, as_yaml

MAX_LAG: Final = timedelta(seconds=5)
ANY_SHORT_WAIT: Final = timedelta(hours=1)
QUIET_SECONDS: Final = 1.0
LOOK_EVERY: Final = 0.2
SETTINGS: Final = MappingProxyType(
    {
        "CADENCE_SESSION_TIMEOUT": "2",
        "CADENCE_RELAY_LEASE": "2",
        "CADENCE_UPKEEP_EVERY": "2",
        "CADENCE_GATE_MAX_LAG": f"{MAX_LAG.total_seconds():g}",
        "CADENCE_LOG_LEVEL": "info",
    }
)
ONE_OF_EACH: Final = MappingProxyType({"consumer": 1, "worker": 1, "relay": 1})
SEVERAL: Final = MappingProxyType({"consumer": 2, "worker": 2, "relay": 2})


@dataclass
class World:
    """One run; nothing of the engine's inside is looked at."""

    servers: Servers
    environment: Mapping[str, str]
    prefix: str
    crew: Crew
    writer: road.Writer
    reader: road.Reader
    cadences: Sequence[Cadence]
    cancels: list[OperatorCancel] = field(default_factory=list)
    counted: Callable[[Sequence[Record]], Sequence[Record]] = lambda outputs: outputs
    """Those of the outputs that are judged: all, but for what a restored database has never known."""

    @property
    def bootstrap_servers(self) -> str:
        return self.servers.addresses.kafka_bootstrap_servers

    async def play(self, planned: Sequence[Planned]) -> None:
        """Publish each event at its time, and wait until Kafka has them all."""
        began = monotonic()
        for event in planned:
            await asyncio.sleep(max(0.0, began + event.at - monotonic()))
            await self.writer.send(event.type, event.id, event.data)
        await self.writer.flush()

    async def publish(self, type_: str, company: str, contacts: Iterable[str], **data: object) -> None:
        """The same event of each of these contacts; they are acknowledged on return."""
        for contact in contacts:
            await self.writer.send(type_, uuid4().hex, {"companyId": company, "contactId": contact, **data})
        await self.writer.flush()

    async def until(self, met: Callable[[], bool], within: float = 20.0) -> None:
        """Wait until what was read makes `met` true. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while not met():  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.02)

    def told(self, type_: str) -> list[Record]:
        """The events of a type that came out so far."""
        return [record for record in self.reader.outputs() if record.type == type_]

    async def cancel(self, enrollment_id: str, company: str) -> None:
        """As an operator, by command; what the engine refuses, or cannot do now, stays unconfirmed."""
        arguments = "enrollment", "cancel", enrollment_id, "--company", company, "--actor", "faults"
        self.cancels.append(OperatorCancel(enrollment_id, None))
        with contextlib.suppress(DevstackError):
            await asyncio.to_thread(command, self.environment, *arguments)
            self.cancels.append(OperatorCancel(enrollment_id, datetime.now(UTC)))

    async def settle(self, within: float) -> None:
        """Return when nothing is missing, nothing moves and no transaction is open; or after so many seconds."""
        ends = monotonic() + within
        while monotonic() < ends and (self.missing() or not await self._is_quiet()):  # noqa: ASYNC110  # Kafka tells nobody
            await asyncio.sleep(LOOK_EVERY)

    def missing(self) -> list[Violation]:
        """What must still come out, as far as was read."""
        inputs = road.acknowledged(self.reader.inputs(), self.writer.acknowledged)
        if len({record.id for record in inputs}) < len(self.writer.acknowledged):
            return [Violation(Promise.NOTHING_MISSING, "not all inputs have been read yet", ("", ""))]
        return unfinished(self._history(inputs, self.reader.outputs()))

    async def history(self) -> History:
        """Everything on the topics, read anew from their beginnings."""
        found = await road.read_all(self.bootstrap_servers, self.prefix, (*road.INPUTS, *road.OUTPUTS))
        inputs = [record for record in found if record.topic in road.INPUTS]
        outputs = [record for record in found if record.topic in road.OUTPUTS]
        return self._history(road.acknowledged(inputs, self.writer.acknowledged), outputs)

    async def verdict(self, within: float = 30.0) -> list[Violation]:
        """Let it settle, and judge."""
        await self.settle(within)
        return judge(await self.history())

    def _history(self, inputs: Sequence[Record], outputs: Sequence[Record]) -> History:
        settled_at = datetime.now(UTC) + ANY_SHORT_WAIT
        return History(self.cadences, inputs, self.counted(outputs), settled_at, MAX_LAG, tuple(self.cancels))

    async def _is_quiet(self) -> bool:
        if asyncio.get_running_loop().time() - self.reader.moved_at < QUIET_SECONDS:
            return False
        return not await road.open_transactions(self.bootstrap_servers, self.prefix)


@asynccontextmanager
async def world(
    servers: Servers,
    database_url: str,
    prefix: str,
    directory: Path,
    *,
    cadences: Sequence[Cadence] = CADENCES,
    size: Mapping[str, int] = ONE_OF_EACH,
    engine: Path | None = None,
    **settings: str,
) -> AsyncIterator[World]:
    """The engine, running and ready on a migrated, empty database; `engine` is the directory of a copy of its source.

    `settings` are further environment variables of its processes.
    """
    environment = {
        **servers.addresses.as_environment(),
        **SETTINGS,
        **({"PYTHONPATH": str(engine)} if engine else {}),
        "DATABASE_URL": database_url,
        "CADENCE_TOPIC_PREFIX": prefix,
        **settings,
    }
    bootstrap = servers.addresses.kafka_bootstrap_servers
    await road.make_topics(bootstrap, prefix)
    definitions = directory / "cadences.yaml"
    definitions.write_text(as_yaml(cadences))
    await asyncio.to_thread(command, environment, "apply", str(definitions))
    crew = Crew(directory / "crew", environment, size)
    reader = road.Reader(bootstrap, prefix)
    reading = asyncio.create_task(reader.run())
    try:
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=0)
        async with producer:
            await crew.start()
            yield World(servers, environment, prefix, crew, road.Writer(producer, prefix), reader, cadences)
    finally:
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        await crew.stop()
