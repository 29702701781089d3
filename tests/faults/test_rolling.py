"""SIGTERM under load, one process after the other, until only new ones run: as a deployment rolls."""

import asyncio
import json
from pathlib import Path
from time import monotonic
from typing import Final

import pytest

from cadence_engine.devstack.fleet import EngineProcess
from tests.faults.conftest import OpenWorld
from tests.faults.crew import KINDS
from tests.faults.load import draw
from tests.faults.planted import Edit, copy_engine
from tests.faults.timeline import explain
from tests.faults.world import SEVERAL

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

SECONDS: Final = 25.0
SEED: Final = 29
GRACE_SECONDS: Final = 10.0
NEW_FIELD: Final = Edit(
    "domain/events.py",
    '        "cause": cause.wire(),\n',
    '        "cause": cause.wire(),\n        "release": "next",\n',
)
"""What the next version might add: consumers take it, as every field that they do not know."""


async def test_old_and_new_side_by_side_lose_nothing_and_end_in_time(open_world: OpenWorld, tmp_path: Path) -> None:
    async with open_world(size=SEVERAL) as around:
        new = {**around.environment, "PYTHONPATH": str(copy_engine(tmp_path / "next", [NEW_FIELD]))}
        playing = asyncio.create_task(around.play(draw(SEED, contacts=60, seconds=SECONDS)))
        ends = []
        for name, old in list(around.crew.processes.items()):
            began = monotonic()
            await asyncio.to_thread(old.stop)
            ends.append((name, exit_code(old), monotonic() - began))
            process: EngineProcess = KINDS[name.partition("-")[0]](tmp_path / "new" / name, new)
            around.crew.processes[name] = process
            await asyncio.to_thread(process.start)
        await playing
        violations = await around.verdict(60)
        history = await around.history()
        assert not violations, explain(history, violations)
        assert [(name, code) for name, code, _ in ends if code != 0] == []
        assert [(name, seconds) for name, _, seconds in ends if seconds >= GRACE_SECONDS] == []
        releases = [record.data.get("release") for record in history.outputs if "cause" in record.data]
        assert {None, "next"} <= set(releases), "both were to be seen at work"


def exit_code(process: EngineProcess) -> int | None:
    """With which it ended, by its own last words; None where it was not asked, but killed."""
    last = json.loads(process.log.read_text().splitlines()[-1])
    return last["exit_code"] if last["action"] == "process_ended" else None
