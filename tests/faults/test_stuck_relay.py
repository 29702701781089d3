"""A relay that stands still for longer than `relay_max_lag`: what it has not published by then is not added to."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from tests.faults.conftest import OpenWorld
from tests.faults.load import Planned, draw
from tests.faults.oracle.definitions import Cadence
from tests.faults.plan import cadence
from tests.faults.timeline import explain

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

RELAY_MAX_LAG: Final = timedelta(seconds=2)
SLACK: Final = timedelta(seconds=1)
"""A claim under way when the limit is passed may still commit."""
STUCK_SECONDS: Final = 8.0
SEED: Final = 23
PLAN: Final[tuple[Cadence, ...]] = (
    cadence("acme", "welcome", "contact.created", 0, 1, 1, 1),
    cadence("bravo", "welcome", "contact.created", 1, 2),
)
SEND: Final = "whatsapp.send.requested"


async def test_no_stale_send_goes_out_when_it_moves_again(open_world: OpenWorld) -> None:
    settings = {"CADENCE_RELAY_MAX_LAG": f"{RELAY_MAX_LAG.total_seconds():g}"}
    async with open_world(cadences=PLAN, **settings) as around:
        playing = asyncio.create_task(around.play(welcomes(STUCK_SECONDS + 6)))
        await around.until(lambda: len(around.told(SEND)) > 10)
        stuck_at = datetime.now(UTC)
        await around.crew.freeze("relay-1", STUCK_SECONDS)
        moved_at = datetime.now(UTC)
        await playing
        violations = await around.verdict()
        assert not violations, explain(await around.history(), violations)
        decided = [send.instant("requestedAt") for send in around.told(SEND)]
        assert any(stuck_at < at < stuck_at + RELAY_MAX_LAG for at in decided), "it was to be seen stuck under load"
        assert not [at for at in decided if stuck_at + RELAY_MAX_LAG + SLACK < at < moved_at]
        assert any(at > moved_at for at in decided), "what was held goes out in the end"


def welcomes(seconds: float) -> list[Planned]:
    """New contacts all the time, of whom many reply; nobody buys."""
    lives = draw(SEED, contacts=int(6 * seconds), seconds=seconds)
    return [event for event in lives if event.type != "purchase.completed" and event.at <= seconds]
