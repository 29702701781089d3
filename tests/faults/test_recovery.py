"""How soon sends go on after a process was killed: by itself, started again at once, or by one that stood by."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import Final

import pytest

from tests.faults.conftest import OpenWorld
from tests.faults.plan import cadence
from tests.faults.timeline import explain
from tests.faults.world import ONE_OF_EACH, SETTINGS, World

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

PLAN: Final = [cadence("acme", "drip", "contact.created", *[0.5] * 40)]
SEND: Final = "whatsapp.send.requested"
KILLS: Final = 3
RECOVERED_WITHIN: Final = 5.0
SESSION_TIMEOUT: Final = float(SETTINGS["CADENCE_SESSION_TIMEOUT"])


@pytest.mark.parametrize("stands_by", [False, True], ids=["started again", "another stands by"])
@pytest.mark.parametrize("kind", ["worker", "relay", "consumer"])
async def test_sends_go_on_soon_after_a_kill(open_world: OpenWorld, kind: str, stands_by: bool) -> None:
    within = RECOVERED_WITHIN + (SESSION_TIMEOUT if kind == "consumer" else 0)
    size = {**ONE_OF_EACH, kind: 2 if stands_by else 1}
    async with open_world(cadences=PLAN, size=size) as around:
        taken = []
        for kill in range(KILLS):
            await keep_something_due(around, kill)
            name = f"{kind}-{1 + kill % size[kind]}"
            killed_at = datetime.now(UTC)
            await around.crew.kill(name)
            reviving = None if stands_by else asyncio.create_task(around.crew.revive(name))
            await around.until(partial(has_recovered, around, killed_at), within=60)
            taken.append(recovered(around, killed_at) or 0.0)
            await (reviving or around.crew.revive(name))
        assert max(taken) < within, taken
        violations = await around.verdict(60)
        assert not violations, explain(await around.history(), violations)


async def keep_something_due(around: World, kill: int) -> None:
    """New contacts, to each of whom a send is due every half second from now on, and all of them are at it."""
    contacts = [f"c{kill}-{number}" for number in range(5)]
    await around.publish("contact.created", "acme", contacts, phone="+5511999990000")
    await around.until(lambda: set(contacts) <= {send.data["contactId"] for send in around.told(SEND)}, within=60)


def has_recovered(around: World, killed_at: datetime) -> bool:
    return recovered(around, killed_at) is not None


def recovered(around: World, killed_at: datetime) -> float | None:
    """Seconds from the kill to the broker's append of the first send that was decided after it."""
    appended = [send.appended_at for send in around.told(SEND) if send.instant("requestedAt") > killed_at]
    return (min(appended) - killed_at).total_seconds() if appended else None
