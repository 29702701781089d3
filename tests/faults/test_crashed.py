"""PostgreSQL crashes again and again under load, as in a power cut or by an immediate stop; no process is restarted."""

import asyncio
import os
import random
import signal
from itertools import cycle, islice
from typing import Final

import psutil
import pytest

from cadence_engine.devstack.postgres import Postgres
from cadence_engine.devstack.servers import Servers
from tests.faults.conftest import OpenWorld
from tests.faults.load import draw
from tests.faults.timeline import explain
from tests.faults.world import SEVERAL, World

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

CRASHES: Final = 6
SECONDS: Final = 20.0
SEED: Final = 13
SEND: Final = "whatsapp.send.requested"
PHONE: Final = "+5511999990000"


async def test_crashed_again_and_again_it_keeps_every_promise(open_own_world: OpenWorld, own_servers: Servers) -> None:
    postgres = own_servers.postgres
    assert postgres is not None
    rng = random.Random(SEED)
    async with open_own_world(size=SEVERAL) as around:
        playing = asyncio.create_task(around.play(draw(SEED, contacts=50, seconds=SECONDS)))
        for number, crash in enumerate(islice(cycle((stop_immediately, Postgres.kill)), CRASHES)):
            await asyncio.sleep(rng.uniform(0.5, 1.5) * SECONDS / CRASHES)
            await a_send_came_out(around, f"at-crash-{number}")
            await asyncio.to_thread(crash, postgres)
            await asyncio.sleep(rng.choice((0.0, 1.5)))
            await asyncio.to_thread(postgres.restart)
        await playing
        violations = await around.verdict(60)
        assert not violations, explain(await around.history(), violations)
        assert around.crew.ended() == []


async def a_send_came_out(around: World, contact: str) -> None:
    """So that the crash comes right behind: what Kafka was told must not be forgotten, however young it is."""
    await around.publish("contact.created", "acme", [contact], phone=PHONE)
    await around.until(lambda: contact in {send.data["contactId"] for send in around.told(SEND)}, within=60)


def stop_immediately(postgres: Postgres) -> None:
    """As `pg_ctl stop -m immediate`: no checkpoint, nobody is told."""
    postmaster = psutil.Process(postgres.pid)
    os.kill(postmaster.pid, signal.SIGQUIT)
    postmaster.wait(10)
