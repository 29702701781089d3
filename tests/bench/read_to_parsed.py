"""`contact.created` records from visible in Kafka to parsed: one consumer, against aiokafka's `getmany` alone."""

from time import perf_counter

import orjson

from cadence_contracts.topics import CONTACT_CREATED
from tests.bench import inbound, seed
from tests.bench.outcome import Logged
from tests.bench.path import Measure, Measured, MeasuredPath, Rival
from tests.bench.reading.sides import Side
from tests.bench.stage import BenchError, Stage, running
from tests.bench.waiting import until


def _by(name: str) -> Measure:
    async def measure(stage: Stage, rows: int) -> Measured:
        async with stage.ground(with_topics=True) as ground:
            side = Side(ground, name, rows)

            async def done() -> bool:
                return side.done.exists()

            async with running([side]):
                async with inbound.held_back(ground, map(seed.contact_created, range(rows))):
                    started = perf_counter()
                await until(done, f"all records parsed by {name}")
                told = orjson.loads(side.done.read_bytes())
        if not told["records"] == told["distinct"] == rows:
            raise BenchError(f"{name} parsed {told['records']} records, {told['distinct']} different ones, of {rows}")
        parsed = {CONTACT_CREATED: Logged(rows, tuple(told["fields"]), told["bytes_each"])}
        return Measured(rows, told["at"] - started, parsed)  # both clocks are the machine's

    return measure


PATH = MeasuredPath(
    "read",
    "records read and parsed",
    _by("engine"),
    [Rival("getmany", "bare aiokafka", _by("getmany"), goal=0.9, is_limit=True)],
    "One consumer as deployed, with an empty transaction for each page; the bare loop touches no database.",
    rows_for_one=5,
)
