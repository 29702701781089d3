"""The whole engine under a random load from a seed: never lost, never twice, never after a reply."""

import asyncio

import pytest

from tests.faults.conftest import OpenWorld
from tests.faults.load import draw
from tests.faults.mischief import KILLS_OF_PROCESSES, Injected, Mischief, cancel_some
from tests.faults.timeline import explain
from tests.faults.world import SEVERAL

SEED = 7


@pytest.mark.chaos
async def test_unhurt_it_keeps_every_promise(open_world: OpenWorld) -> None:
    async with open_world(size=SEVERAL) as around:
        await asyncio.gather(around.play(draw(SEED, contacts=40, seconds=4)), cancel_some(around, SEED, 2, 4.0))
        violations = await around.verdict()
        assert not violations, explain(await around.history(), violations)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kills", [6, pytest.param(16, marks=pytest.mark.chaos)])
async def test_killed_all_the_time_it_keeps_every_promise(open_world: OpenWorld, kills: int) -> None:
    seconds = 1.5 * kills
    killed: list[Injected] = []
    async with open_world(size=SEVERAL) as around:
        mischief = Mischief(around, SEED, KILLS_OF_PROCESSES, killed.append)
        await asyncio.gather(
            around.play(draw(SEED, contacts=4 * kills, seconds=seconds)),
            cancel_some(around, SEED, 3, seconds),
            mischief.run(kills, seconds),
        )
        violations = await around.verdict(60)
        assert len(killed) == kills
        assert mischief.found_ended == []
        assert not violations, explain(await around.history(), violations)
