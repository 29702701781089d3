"""A relay waits for what is not there yet, says so, and goes on by itself."""

import asyncio

import pytest

from cadence_engine.bus.relay.process import run
from cadence_engine.health import Readiness
from cadence_engine.settings import Settings
from tests.bus.relay.conftest import Log, Road, log_of, make_topics, relay, until


async def test_missing_topics_are_named_and_waited_for(log: Log, settings: Settings, topic_prefix: str) -> None:
    readiness = Readiness()
    await log.write_sends(batches=1)
    async with relay(settings, readiness=readiness):
        await until_said(readiness, f"topics are missing: {topic_prefix}whatsapp.outbound, ")
        await make_topics(settings, {})
        await until(log.is_published)
        assert readiness.ready

    await Road(settings).holds_once_and_in_order(log.written)


@pytest.mark.parametrize("missing", ["database", "kafka"])
async def test_a_server_that_is_not_there_makes_the_relay_unready_and_does_not_end_it(
    settings: Settings, missing: str, unused_tcp_port: int
) -> None:
    nowhere = f"127.0.0.1:{unused_tcp_port}"
    change = (
        {"kafka_bootstrap_servers": nowhere}
        if missing == "kafka"
        else {"database_url": type(settings.database_url)(f"postgresql://nobody@{nowhere}/none")}
    )
    readiness, stop = Readiness(), asyncio.Event()
    running = asyncio.create_task(run(settings.model_copy(update=change), stop, readiness=readiness))
    await until_said(readiness, "Connect")

    stop.set()
    async with asyncio.timeout(10):
        await running


async def test_who_stands_by_is_ready(log: Log, road: Road, settings: Settings) -> None:
    leading, standing_by = Readiness(), Readiness()
    async with relay(settings, readiness=leading), relay(settings, readiness=standing_by), log_of(settings):
        await until(lambda: both_ready(leading, standing_by))


async def both_ready(*readinesses: Readiness) -> bool:
    return all(readiness.ready for readiness in readinesses)


async def until_said(readiness: Readiness, text: str) -> None:
    async def said() -> bool:
        return text in readiness.blocking.get("relay", "")

    await until(said)
