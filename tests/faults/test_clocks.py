"""Clocks that are wrong by an hour, and local clocks that jump: the database's clock and the contact's zone decide."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from tests.faults.conftest import OpenWorld
from tests.faults.load import ZONES, draw
from tests.faults.measures import lateness
from tests.faults.oracle.definitions import Cadence
from tests.faults.oracle.view import View
from tests.faults.plan import cadence
from tests.faults.timeline import explain
from tests.faults.world import SEVERAL, World

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
MINUTE: Final = timedelta(minutes=1)
LONGEST_WAIT: Final = 730
"""Days; more is refused in a definition."""
SECONDS: Final = 15.0
SEED: Final = 37
SWEEP_EVERY: Final = 1.0
SLACK: Final = 2.0
WRONG_CLOCK: Final = """
import os
from datetime import UTC, datetime, timedelta

import time_machine

hours = {"-1": 1, "-2": -1}.get(os.getcwd()[-2:], 0)
time_machine.travel(datetime.now(UTC) + timedelta(hours=hours), tick=True).start()
"""
"""As Python's start-up finds it: the first of each kind is an hour ahead, the second an hour behind."""


async def test_processes_an_hour_ahead_and_behind_keep_every_promise(open_world: OpenWorld, tmp_path: Path) -> None:
    clocks = tmp_path / "clocks"
    clocks.mkdir()
    (clocks / "sitecustomize.py").write_text(WRONG_CLOCK)
    settings = {"PYTHONPATH": str(clocks), "CADENCE_SWEEP_EVERY": f"{SWEEP_EVERY:g}"}
    async with open_world(size=SEVERAL, **settings) as around:
        for name in around.crew.processes:
            wrong_by = clock_of(around, name) - datetime.now(UTC)
            assert abs(wrong_by - (HOUR if name.endswith("-1") else -HOUR)) < HOUR / 4
        await around.play(draw(SEED, contacts=40, seconds=SECONDS))
        violations = await around.verdict()
        history = await around.history()
        assert not violations, explain(history, violations)
        assert median(lateness(View(history))) < SWEEP_EVERY + SLACK


async def test_waits_of_days_over_every_jump_of_the_local_clocks(open_world: OpenWorld) -> None:
    days = sorted({*days_over_the_next_jumps(), *days_over_the_next_leap_day()})
    plan = [over(count) for count in days]
    async with open_world(cadences=plan) as around:
        for zone in ZONES:
            await around.publish("contact.created", "acme", [zone], phone="+5511999990000", timeZone=zone)
        await around.until(lambda: len(around.told("cadence.step.executed")) == len(days) * len(ZONES))
        violations = await around.verdict()  # the oracle's own calendar says when each next step is due
        assert not violations, explain(await around.history(), violations)
        told = around.told("cadence.step.executed")
        waits = [event.instant("nextRunAt") - event.instant("at") for event in told]
        beyond_whole_days = {round((wait % DAY) / MINUTE) for wait in waits}
        assert beyond_whole_days & {60, 1380}, "an hour more or an hour less"
        assert beyond_whole_days & {30, 1410}, "Lord Howe's half an hour"


def over(days: int) -> Cadence:
    return cadence("acme", f"over-{days}-days", "contact.created", 0, 0, days=days, reentry="never")


def days_over_the_next_jumps() -> Iterator[int]:
    """For each zone and each jump of its clock within a year: how many days until it is just over."""
    today = datetime.now(UTC).date()
    for zone in map(ZoneInfo, ZONES):
        noons = [datetime(day.year, day.month, day.day, 12, tzinfo=zone) for day in days_from(today, 370)]
        for count, (before, after) in enumerate(pairwise(noons)):
            if before.utcoffset() != after.utcoffset():
                yield count + 2


def days_over_the_next_leap_day() -> Iterator[int]:
    """None where it is too far away for a wait."""
    today = datetime.now(UTC).date()
    for count, day in enumerate(days_from(today, LONGEST_WAIT)):
        if (day.month, day.day) == (2, 29):
            yield count + 1


def days_from(first: date, count: int) -> list[date]:
    return [first + timedelta(days=number) for number in range(count)]


def clock_of(around: World, name: str) -> datetime:
    """What a process took the time to be when it last said something."""
    return datetime.fromisoformat(json.loads(around.crew.log(name).splitlines()[-1])["time"])
