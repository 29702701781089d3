"""A reader that stands still without an error is noticed, said, and made anew; an outage is not mistaken for that."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError

from cadence_engine.bus import stuck, topics
from cadence_engine.devstack.jars import cache_directory, committed_jars, fetch
from cadence_engine.devstack.kafka import Kafka
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.page import PageCounts
from cadence_engine.handlers.received import Page
from cadence_engine.settings import Settings
from cadence_engine.storage.database import UnitOfWork
from tests.bus.conftest import WITHIN, Road, Running, a_reply, an_update, eventually

SECONDS = 2.0
LONGER_THAN_A_STARVED_MACHINE = 5.0
FETCHER, COORDINATOR = "Fetcher._fetch_requests_routine", "GroupCoordinator._coordination_routine"


@asynccontextmanager
async def stuck_soon(road: Road, running: Running) -> AsyncIterator[None]:
    """From within until a reader was found stuck; what is made anew may take its time again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stuck, "silent_at_most", lambda _: SECONDS)
        yield
        await eventually(road.actions, lambda seen: "reader_stuck" in seen)
        await is_blocked(running, "")


async def is_blocked(running: Running, word: str) -> None:
    async def blocking() -> str | None:
        return running.readiness.blocking.get("consumer")

    await eventually(blocking, lambda said: said is not None and word in said)


def tasks_of(routine: str) -> list["asyncio.Task[object]"]:
    """Kafka's client has them beside our polls, and nobody waits for them."""
    return [task for task in asyncio.all_tasks() if getattr(task.get_coro(), "__qualname__", "") == routine]


@pytest.mark.parametrize("routine", [FETCHER, COORDINATOR])
async def test_a_client_that_died_inside_is_made_anew(road: Road, routine: str) -> None:
    running = await (await road.consume()).ready()
    async with stuck_soon(road, running):
        for task in tasks_of(routine):
            task.cancel()
        sent = await road.send(a_reply())
    assert await eventually(road.effects, bool) == [sent]
    await running.ready()
    assert (await road.actions()).count("reader_stuck") == 1


@pytest.mark.chaos
async def test_a_page_that_never_comes_back_is_given_up_and_read_again(road: Road) -> None:
    hung, apply = asyncio.Event(), road.apply

    async def hang_once(unit: UnitOfWork, page: Page, policy: Policy) -> PageCounts:
        if page.received and not hung.is_set():
            hung.set()
            await asyncio.get_running_loop().create_future()
        return await apply(unit, page, policy)

    running = await (await road.consume(apply=hang_once)).ready()
    sent = await road.send(a_reply())
    await hung.wait()
    elsewhere = await road.send(an_update())
    assert await eventually(road.effects, bool) == [elsewhere]
    async with stuck_soon(road, running):
        pass
    assert await eventually(road.effects, lambda seen: len(seen) == 2) == [elsewhere, sent]
    await running.ready()
    (line,) = [line for line in road.logs if line["event"] == "reader_stuck"]
    assert line["topics"] == [road.topic("message.received")]


@pytest.mark.chaos
async def test_silence_alone_is_not_stuck(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither of topics without records, nor of a consumer to which no partition is left."""
    runnings = [await (await road.consume()).ready() for _ in range(3)]
    monkeypatch.setattr(stuck, "silent_at_most", lambda _: LONGER_THAN_A_STARVED_MACHINE)
    await asyncio.sleep(2 * LONGER_THAN_A_STARVED_MACHINE)
    assert "reader_stuck" not in await road.actions()
    assert all(running.readiness.ready for running in runnings)


@pytest.mark.chaos
async def test_a_group_that_could_not_be_joined_again_is_joined_later(road: Road) -> None:
    """While it was frozen, a stranger took its group over by a protocol that it does not speak, and then left."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cadence_engine", "consumer"),
        env=os.environ | road.environment() | {"CADENCE_SESSION_TIMEOUT": "2"},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        await _writes(process, "ready")
        process.send_signal(signal.SIGSTOP)
        stranger = await _stranger_joins(road, f"{road.settings.topic_prefix}cadence-engine.message.received")
        process.send_signal(signal.SIGCONT)
        await _writes(process, "read_failed")
        await stranger.stop()
        await road.send(a_reply())

        async def applied() -> int:
            return sum((await road.progress("message.received")).values())

        await eventually(applied, bool)
    finally:
        process.kill()
        await process.wait()


async def _writes(process: asyncio.subprocess.Process, action: str) -> None:
    """Read its log up to this line."""
    assert process.stdout is not None
    async with asyncio.timeout(WITHIN):
        while json.loads(await process.stdout.readline())["action"] != action:
            pass


async def _stranger_joins(road: Road, group: str) -> AIOKafkaConsumer:
    """As soon as Kafka has given up the frozen member."""
    while True:
        stranger = AIOKafkaConsumer(
            road.topic("message.received"),
            bootstrap_servers=road.settings.kafka_bootstrap_servers,
            group_id=group,
            partition_assignment_strategy=(RangePartitionAssignor,),
        )
        try:
            await stranger.start()
        except KafkaError:
            await stranger.stop()
        else:
            return stranger


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[Kafka]:
    """One of this test alone, to be frozen."""
    server = Kafka(tmp_path / "kafka", fetch(committed_jars(), cache_directory()))
    server.start()
    yield server
    server.stop()


@pytest.mark.chaos
async def test_while_kafka_is_away_nobody_is_ready_and_nobody_is_stuck(
    road: Road, own_kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    road.settings = road.settings.model_copy(update={"kafka_bootstrap_servers": own_kafka.bootstrap_servers})
    await topics.create_topics(road.settings, partitions=1, replication=1)
    running = await (await road.consume()).ready()
    monkeypatch.setattr(stuck, "silent_at_most", lambda _: SECONDS)
    own_kafka.pause()
    await is_blocked(running, "not reading")
    monkeypatch.undo()
    own_kafka.resume()
    await running.ready()
    assert "reader_stuck" not in await road.actions()
    assert (await road.actions()).count("consuming") == 1


def test_nothing_legal_takes_as_long() -> None:
    settings = Settings(DATABASE_URL="postgresql://u:p@h/d", session_timeout=6)
    assert stuck.request_timeout(settings) > settings.session_timeout
    assert stuck.silent_at_most(settings) >= 30 + 10 + settings.session_timeout + stuck.request_timeout(settings)
