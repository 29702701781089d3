"""What the consumer tells Prometheus while it cannot go on."""

from cadence_contracts.topics import CONTACT_UPDATED
from cadence_engine.handlers.received import Page
from cadence_engine.metrics.registry import REGISTRY
from tests.bus.conftest import Road, an_update, eventually

RECORDS = 3
FAILURES = 5


async def shown(name: str) -> float:
    return REGISTRY.get_sample_value(name, {"topic": CONTACT_UPDATED}) or 0.0


async def lag() -> float:
    return await shown("cadence_consumer_lag_records")


async def failures() -> float:
    return await shown("cadence_page_failures_total")


async def test_records_that_cannot_be_applied_are_lag_however_often_they_are_read(road: Road) -> None:
    broken = True

    def fail(_: Page) -> None:
        if broken:
            raise RuntimeError("a fault of the program")

    road.fail = fail
    failed_before = await failures()
    for _ in range(RECORDS):
        await road.send(an_update(), partition=0)
    await road.consume()

    await eventually(lag, bool)
    shown_meanwhile = set[float]()

    async def look() -> float:
        shown_meanwhile.add(await lag())
        return await failures()

    await eventually(look, lambda seen: seen >= failed_before + FAILURES)
    assert shown_meanwhile == {RECORDS}
    broken = False
    await eventually(road.effects, lambda seen: len(seen) == RECORDS)
    await eventually(lag, lambda seen: seen == 0)
