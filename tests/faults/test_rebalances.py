"""Rebalances, one after the other, delay a consumer and never stop one of its readers."""

import pytest

from tests.faults.conftest import OpenWorld
from tests.faults.plan import cadence
from tests.faults.planted import Edit

pytestmark = pytest.mark.chaos

TWENTY = [f"c{n}" for n in range(20)]
SHORT_POLLS = (
    Edit("bus/consumer.py", "\nPOLL_MS: Final = 500", "\nPOLL_MS: Final = 2"),
    Edit("bus/consumer.py", "GATE_POLL_MS: Final = 100", "GATE_POLL_MS: Final = 2"),
)
"""So that a poll ends, more often than not, between a new assignment and the seek that it needs."""


async def test_a_rebalance_in_the_midst_of_a_poll_stops_no_reader(open_world: OpenWorld) -> None:
    plan = [cadence("acme", "hello", "contact.created", 0, 0.5)]
    size = {"consumer": 2, "worker": 1, "relay": 1}
    async with open_world(edits=SHORT_POLLS, cadences=plan, size=size) as around:
        for _ in range(3):
            await around.crew.kill("consumer-2")
            await around.crew.revive("consumer-2")
        await around.publish("contact.created", "acme", TWENTY, phone="+5511999990000")
        assert await around.verdict(12) == []
