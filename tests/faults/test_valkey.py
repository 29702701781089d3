"""Valkey forgets, is gone for long, or takes nothing: steps go on at the sweep's pace, and nothing else changes."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from statistics import median, quantiles
from typing import Final

import pytest
import pytest_asyncio
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError

from cadence_engine.devstack.servers import Servers
from cadence_engine.devstack.valkey import Valkey
from tests.faults.conftest import OpenWorld
from tests.faults.load import draw
from tests.faults.oracle.history import History
from tests.faults.oracle.view import PARKED, View
from tests.faults.timeline import explain
from tests.faults.world import SEVERAL, World

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

SWEEP_EVERY: Final = 4.0
"""Far above the lateness of a step that a wakeup runs, so that the one cannot be taken for the other."""
SLACK: Final = 3.0
WAKEUPS_AT_MOST: Final = SWEEP_EVERY / 4
AWAY_SECONDS: Final = 25.0
FLUSHES: Final = 12
SEED: Final = 11
SEND: Final = "whatsapp.send.requested"
PHONE: Final = "+5511999990000"
TEN: Final = [f"later-{n}" for n in range(10)]


@pytest.fixture
def valkey(own_servers: Servers) -> Valkey:
    assert own_servers.valkey is not None
    return own_servers.valkey


@pytest_asyncio.fixture
async def around(open_own_world: OpenWorld) -> AsyncIterator[World]:
    async with open_own_world(size=SEVERAL, CADENCE_SWEEP_EVERY=f"{SWEEP_EVERY:g}") as around:
        yield around


async def test_flushed_again_and_again_nothing_is_forgotten(around: World, valkey: Valkey) -> None:
    playing = asyncio.create_task(around.play(draw(SEED, contacts=40, seconds=10)))
    async with Redis.from_url(valkey.url) as client:
        for _ in range(FLUSHES):
            await asyncio.sleep(1)  # a planner's round is two: what it has told is forgotten now before, now after it
            await client.flushall()
        await playing
        await around.publish("contact.created", "acme", TEN, phone=PHONE)
        await around.until(lambda: {each.data["contactId"] for each in around.told(SEND)} >= set(TEN))
        await client.flushall()  # further steps are to come, and no wakeup of anybody else's runs them along the way
    await keeps_every_promise(around)


async def test_away_for_long_steps_go_on_at_the_pace_of_the_sweep(around: World, valkey: Valkey) -> None:
    playing = asyncio.create_task(around.play(draw(SEED, contacts=60, seconds=AWAY_SECONDS)))
    await around.until(lambda: bool(around.told(SEND)))
    await asyncio.to_thread(valkey.kill)
    killed_at = datetime.now(UTC)
    await asyncio.sleep(AWAY_SECONDS)
    back_at = datetime.now(UTC)
    await asyncio.to_thread(valkey.start)
    await playing
    await wakeups_work_again(around)

    history = await keeps_every_promise(around)
    late = lateness(history, killed_at, back_at)
    assert len(late) > 30
    assert quantiles(late, n=20)[-1] < SWEEP_EVERY + SLACK, late


async def test_out_of_memory_steps_go_on_at_the_pace_of_the_sweep(around: World, valkey: Valkey) -> None:
    playing = asyncio.create_task(around.play(draw(SEED, contacts=40, seconds=15)))
    await around.until(lambda: bool(around.told(SEND)))
    async with Redis.from_url(valkey.url) as client:
        await client.config_set("maxmemory", "1mb")
        full_at = datetime.now(UTC)
        with pytest.raises(OutOfMemoryError):
            await client.set("anything", "at all")
        await playing
        emptied_at = datetime.now(UTC)
        await client.config_set("maxmemory", "0")
    await wakeups_work_again(around)

    history = await keeps_every_promise(around)
    late = lateness(history, full_at, emptied_at)
    assert len(late) > 20
    assert quantiles(late, n=20)[-1] < SWEEP_EVERY + SLACK, late


async def keeps_every_promise(around: World) -> History:
    """And no process has ended."""
    violations = await around.verdict(60)
    history = await around.history()
    assert not violations, explain(history, violations)
    assert around.crew.ended() == []
    return history


async def wakeups_work_again(around: World) -> None:
    """The engine says so itself, and steps run sooner than any sweep would run them."""
    async with asyncio.timeout(20):
        while any([await asyncio.to_thread(degraded, address) for address in workers(around)]):  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(0.1)
    since = datetime.now(UTC)
    await around.publish("contact.created", "acme", TEN, phone=PHONE)
    await around.settle(30)
    late = lateness(await around.history(), since, datetime.now(UTC))
    assert len(late) > len(TEN)
    assert median(late) < WAKEUPS_AT_MOST, late


def workers(around: World) -> list[str]:
    return [process.address for name, process in around.crew.processes.items() if name.startswith("worker")]


def degraded(address: str) -> bool:
    """Whether a process says that it goes on without a part of it."""
    with urllib.request.urlopen(f"http://{address}/health/ready", timeout=5) as answer:
        return bool(json.load(answer)["degraded"])


def lateness(history: History, since: datetime, until: datetime) -> list[float]:
    """Seconds from due time to the broker's append, of the sends due in that time whose passage was never parked."""
    return [
        (send.appended_at - send.instant("dueAt")).total_seconds()
        for passage in View(history).passages.values()
        if not any(event.type == PARKED for event in passage.events)
        for send in passage.sends
        if since <= send.instant("dueAt") < until
    ]
