"""One process of either side: `python -m tests.bench.reading SIDE ROWS` leaves what it read in the file DONE."""

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import orjson
from aiokafka import AIOKafkaConsumer

from cadence_contracts.inbound import AnyInbound
from cadence_contracts.topics import CONTACT_CREATED
from cadence_engine import bootstrap
from cadence_engine.bootstrap import Process
from cadence_engine.bus import consumer
from cadence_engine.bus.parse import Reading, read_one
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.page import PageCounts
from cadence_engine.handlers.received import Page, Received
from cadence_engine.settings import load
from cadence_engine.storage.database import UnitOfWork
from tests.bench.reading.sides import DONE

POLL_MS = 500
PART = "reading"


class Tally:
    """What was parsed, up to the last of the rows that are expected.

    The consumer reads all once more when it finds that nothing of it was kept: that is behind the end.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._ids: list[str] = []

    def add(self, received: Sequence[Received[AnyInbound]]) -> None:
        if len(self._ids) >= self._rows:
            return
        self._ids += [one.id for one in received]
        if len(self._ids) >= self._rows:
            self._tell(perf_counter(), received[-1].event)

    def _tell(self, now: float, last: AnyInbound) -> None:
        told = {
            "at": now,
            "records": len(self._ids),
            "distinct": len(set(self._ids)),
            "fields": sorted(last.model_fields_set),
            "bytes_each": len(last.model_dump_json(by_alias=True)),
        }
        unfinished = Path(f"{DONE}.new")
        unfinished.write_bytes(orjson.dumps(told))
        unfinished.rename(DONE)


async def by_engine(process: Process, tally: Tally) -> None:
    async def apply(unit: UnitOfWork, page: Page, policy: Policy) -> PageCounts:
        tally.add(page.received)
        return PageCounts(applied=len(page.received), seen=0, dead=len(page.dead_letters))

    async def wake(_: Sequence[datetime]) -> None:
        """Nothing becomes due."""

    await consumer.run(
        process.settings, process.stop, apply=apply, policy=process.policy, wake=wake, readiness=process.readiness
    )


async def by_getmany(process: Process, tally: Tally) -> None:
    settings = process.settings
    process.readiness.block(PART, "no partition assigned yet")
    bare = AIOKafkaConsumer(
        settings.topic(CONTACT_CREATED),
        bootstrap_servers=settings.kafka_bootstrap_servers,
        group_id=settings.topic("bare"),
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    async with bare:
        while not process.stop.is_set():
            polled = await bare.getmany(timeout_ms=POLL_MS, max_records=settings.page_records)
            reading = Reading(CONTACT_CREATED, datetime.now(UTC), process.policy.inbox_memory)
            parsed = [read_one(record, reading) for records in polled.values() for record in records]
            tally.add([one for one in parsed if isinstance(one, Received)])
            if bare.assignment():
                process.readiness.clear(PART)


SIDES: Mapping[str, Callable[[Process, Tally], Awaitable[None]]] = {"engine": by_engine, "getmany": by_getmany}


def main(side: str, rows: int) -> int:
    return bootstrap.run_process("consumer", lambda process: SIDES[side](process, Tally(rows)), load())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
