"""Frozen for longer than every timeout while a rival works, then thawed: what the zombie still writes is fenced."""

import asyncio
from typing import Final

import pytest

from tests.faults.conftest import OpenWorld
from tests.faults.load import draw
from tests.faults.timeline import explain
from tests.faults.world import SEVERAL, World

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

FROZEN_SECONDS: Final = 6.0
"""Session, relay's lease and idle transaction time out after 2 s."""
FREEZES: Final = 3
SECONDS: Final = 26.0
SEED: Final = 31


@pytest.mark.parametrize("kind", ["consumer", "worker", "relay"])
async def test_a_zombie_beside_its_rival_breaks_no_promise(open_world: OpenWorld, kind: str) -> None:
    async with open_world(size=SEVERAL) as around:
        playing = asyncio.create_task(around.play(draw(SEED, contacts=60, seconds=SECONDS)))
        for freeze in range(FREEZES):
            await more_sends(around)
            await around.crew.freeze(f"{kind}-{1 + freeze % 2}", FROZEN_SECONDS)
        await playing
        violations = await around.verdict(60)
        assert not violations, explain(await around.history(), violations)
        assert around.crew.ended() == [], [around.crew.log(name) for name in around.crew.ended()]


async def more_sends(around: World) -> None:
    """So that all are surely at work."""
    seen = len(around.told("whatsapp.send.requested"))
    await around.until(lambda: len(around.told("whatsapp.send.requested")) > seen + 5, within=60)
