"""How soon sends go on after a kill, as deployed: by one that stood by, or by the same one started again at once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from statistics import median
from time import monotonic
from typing import Final

import pytest

from cadence_engine.devstack.fleet import command
from cadence_engine.settings import Settings
from tests.faults.conftest import OpenWorld
from tests.faults.plan import cadence
from tests.faults.timeline import explain
from tests.faults.world import ONE_OF_EACH, World

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

PLAN: Final = [cadence("acme", "drip", "contact.created", *[0.5] * 40)]
SEND: Final = "whatsapp.send.requested"
KILLS: Final = 3
SESSION_TIMEOUT: Final[float] = Settings.model_fields["session_timeout"].default
AS_DEPLOYED: Final[Mapping[str, str]] = {
    "CADENCE_SESSION_TIMEOUT": f"{SESSION_TIMEOUT:g}",
    "CADENCE_RELAY_LEASE": f"{Settings.model_fields['relay_lease'].default:g}",
}
SOON: Final = 5.0
AFTER_THE_SESSION: Final = SESSION_TIMEOUT + SOON
USUALLY_LOADED_IN: Final = 1.0
"""Seconds; what a machine at its limits needs beyond it is no fault of the engine."""
CHATTER_EVERY: Final = 0.1


@pytest.mark.parametrize(("kind", "within"), [("worker", SOON), ("relay", SOON), ("consumer", AFTER_THE_SESSION)])
async def test_another_goes_on_soon(open_world: OpenWorld, kind: str, within: float) -> None:
    async with open_world(cadences=PLAN, size={**ONE_OF_EACH, kind: 2}, **AS_DEPLOYED) as around:
        pauses = []
        async with strangers_who_write(around):
            for kill in range(KILLS):
                await keep_something_due(around, kill)
                victim = f"{kind}-{1 + kill % 2}"
                pauses.append(await pause_after_kill(around, victim))
                await around.crew.revive(victim)
        assert median(pauses) < within, pauses
        await assert_all_kept(around)


@pytest.mark.parametrize(
    ("kind", "within", "instance"),
    [("worker", SOON, ""), ("relay", SOON, ""), ("consumer", AFTER_THE_SESSION, ""), ("consumer", SOON, "its-name")],
)
async def test_the_same_one_is_soon_back(open_world: OpenWorld, kind: str, within: float, instance: str) -> None:
    async with open_world(cadences=PLAN, **AS_DEPLOYED, CADENCE_INSTANCE=instance) as around:
        pauses, loading = [], []
        async with strangers_who_write(around):
            for kill in range(KILLS):
                await keep_something_due(around, kill)
                pauses.append(await pause_after_kill(around, f"{kind}-1", revived=True))
                loading.append(await asyncio.to_thread(seconds_to_load))
        slower = max(0.0, median(loading) - USUALLY_LOADED_IN)
        assert median(pauses) < within + slower, (pauses, loading)
        await assert_all_kept(around)


@asynccontextmanager
async def strangers_who_write(around: World) -> AsyncIterator[None]:
    """All the time, so that the gate needs a consumer that reads."""

    async def write() -> None:
        for number in count():
            await around.publish("message.received", "acme", [f"stranger-{number}"])
            await asyncio.sleep(CHATTER_EVERY)

    writing = asyncio.create_task(write())
    try:
        yield
    finally:
        writing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await writing


async def keep_something_due(around: World, kill: int) -> None:
    """New contacts, to each of whom a send is due every half second from now on, and all of them are at it."""
    contacts = [f"c{kill}-{number}" for number in range(5)]
    await around.publish("contact.created", "acme", contacts, phone="+5511999990000")
    await around.until(lambda: set(contacts) <= {send.data["contactId"] for send in around.told(SEND)}, within=60)


async def pause_after_kill(around: World, name: str, *, revived: bool = False) -> float:
    """Seconds from a process's death to the broker's append of the first send that became due after it."""
    await around.crew.kill(name)
    died_at = datetime.now(UTC)
    if revived:
        await around.crew.revive(name)

    def pauses() -> list[float]:
        due_since = [send for send in around.told(SEND) if send.instant("dueAt") > died_at]
        return [(send.appended_at - died_at).total_seconds() for send in due_since]

    await around.until(lambda: bool(pauses()), within=60)
    return min(pauses())


def seconds_to_load() -> float:
    """How long a process of the engine that does nothing takes just now."""
    began = monotonic()
    command({}, "--help")
    return monotonic() - began


async def assert_all_kept(around: World) -> None:
    violations = await around.verdict(60)
    assert not violations, explain(await around.history(), violations)
