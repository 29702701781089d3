"""The whole engine under a random load from a seed: never lost, never twice, never after a reply."""

import asyncio

import pytest

from tests.faults.conftest import OpenWorld
from tests.faults.load import draw
from tests.faults.mischief import KILLS_OF_PROCESSES, Injected, Mischief, cancel_some
from tests.faults.timeline import explain
from tests.faults.world import SEVERAL

pytestmark = pytest.mark.chaos

SEED = 7
KILLS, SECONDS = 16, 24.0


async def test_unhurt_it_keeps_every_promise(open_world: OpenWorld) -> None:
    async with open_world(size=SEVERAL) as around:
        await asyncio.gather(around.play(draw(SEED, contacts=40, seconds=4)), cancel_some(around, SEED, 2, 4.0))
        violations = await around.verdict()
        assert not violations, explain(await around.history(), violations)


@pytest.mark.timeout(240)
async def test_killed_all_the_time_it_keeps_every_promise(open_world: OpenWorld) -> None:
    killed: list[Injected] = []
    async with open_world(size=SEVERAL) as around:
        mischief = Mischief(around, SEED, KILLS_OF_PROCESSES, killed.append)
        await asyncio.gather(
            around.play(draw(SEED, contacts=60, seconds=SECONDS)),
            cancel_some(around, SEED, 3, SECONDS),
            mischief.run(KILLS, SECONDS),
        )
        violations = await around.verdict(60)
        assert len(killed) == KILLS
        assert mischief.found_ended == []
        assert not violations, explain(await around.history(), violations)
