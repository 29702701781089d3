"""Frozen for longer than every timeout while a rival works, then thawed: what the zombie still writes is fenced."""

import asyncio
from typing import Final

import pytest

from tests.faults.conftest import OpenWorld
from tests.faults.load import draw
from tests.faults.timeline import explain
from tests.faults.world import SEVERAL, World

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

FROZEN_SECONDS: Final = {"consumer": 4.0, "worker": 4.0, "relay": 9.0}
"""Session, relay's lease and idle transactions time out after 2 s, the relay's own transaction after 7."""
FREEZES: Final = 2
SECONDS: Final = 45.0
SEED: Final = 31


@pytest.mark.parametrize("kind", ["consumer", "worker", "relay"])
async def test_a_zombie_beside_its_rival_breaks_no_promise(open_world: OpenWorld, kind: str) -> None:
    async with open_world(size=SEVERAL) as around:
        playing = asyncio.create_task(around.play(draw(SEED, contacts=100, seconds=SECONDS)))
        for freeze in range(FREEZES):
            await more_sends(around)
            victim = around.crew.processes[f"{kind}-{1 + freeze % 2}"]
            victim.pause()
            try:
                await asyncio.sleep(FROZEN_SECONDS[kind])
                await more_sends(around)  # its rival's
            finally:
                victim.resume()
        await playing
        violations = await around.verdict(60)
        assert not violations, explain(await around.history(), violations)
        assert around.crew.ended() == [], [around.crew.log(name) for name in around.crew.ended()]


async def more_sends(around: World) -> None:
    """So that somebody is surely at work."""
    seen = len(around.told("whatsapp.send.requested"))
    await around.until(lambda: len(around.told("whatsapp.send.requested")) > seen + 5, within=60)
