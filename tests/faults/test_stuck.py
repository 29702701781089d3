"""A poll that never comes back is given up within a bound; where that is in vain, the process ends and says why."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.faults.conftest import OpenWorld
from tests.faults.plan import cadence
from tests.faults.planted import Edit, staged
from tests.faults.world import World

pytestmark = pytest.mark.chaos

PHONE = "+5511999990000"
BOUND = 3.0
PLAN = [cadence("acme", "hello", "contact.created", 0)]
HANG_ONCE = Edit(
    "bus/reader.py",
    "            poll = await (self._read_alone(consumer)",
    "            from cadence_engine.stage import STAGE\n"
    "            told = STAGE.was_told('hang') and not STAGE.was_told('hung')\n"
    "            if told and self.topic.endswith('contact.created'):\n"
    "                STAGE.tell('hung')\n"
    "                await asyncio.Event().wait()\n"
    "            poll = await (self._read_alone(consumer)",
)
SOON = (
    Edit(
        "bus/stuck.py",
        "    return POSTGRES_AND_PAUSE",
        "    from cadence_engine.stage import STAGE\n"
        f"    return {BOUND} if STAGE.was_told('hung') and not STAGE.was_told('found') else POSTGRES_AND_PAUSE",
    ),
    Edit(
        "bus/stuck.py",
        "    return True\n\n\nasync def kafka_answers",
        "    from cadence_engine.stage import STAGE\n"
        "    STAGE.tell('found')\n    return True\n\n\nasync def kafka_answers",
    ),
)
NEVER_CLOSED = (
    Edit("bus/consumer.py", "            await broker.stop()\n", "            await asyncio.Event().wait()\n"),
    Edit("bus/consumer.py", "REPLACE_WITHIN: Final = 30.0", "REPLACE_WITHIN: Final = 0.5"),
)


async def hang_a_poll(around: World) -> None:
    stage = staged(Path(around.environment["PYTHONPATH"]))
    stage.tell("hang")
    await stage.hear("hung")


async def test_the_topic_goes_on_within_the_bound(open_world: OpenWorld) -> None:
    async with open_world(edits=[HANG_ONCE, *SOON], cadences=PLAN) as around:
        await hang_a_poll(around)
        hung_at = datetime.now(UTC)
        await around.publish("contact.created", "acme", ["ana"], phone=PHONE)
        assert await around.verdict() == []
        (started,) = around.told("cadence.enrollment.started")
        assert BOUND / 2 < (started.appended_at - hung_at).total_seconds() < BOUND + 10
        assert around.crew.ended() == []


async def test_what_cannot_be_closed_ends_its_process(open_world: OpenWorld) -> None:
    async with open_world(edits=[HANG_ONCE, *SOON, *NEVER_CLOSED], cadences=PLAN) as around:
        await hang_a_poll(around)
        await around.until(lambda: around.crew.ended() == ["consumer-1"])
        lines = [json.loads(line) for line in around.crew.log("consumer-1").splitlines() if line.startswith("{")]
        said = {line["action"]: line for line in lines}
        assert "get their partitions" in said["process_failed"]["reason"]
        assert said["reader_stuck"]["topics"] == [f"{around.prefix}contact.created"]
