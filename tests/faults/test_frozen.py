"""Frozen amid a transaction, for longer than every timeout, while a rival works: what the zombie writes is fenced."""

import asyncio
from itertools import cycle
from typing import Final

import asyncpg
import psutil
import pytest

from cadence_engine.devstack.fleet import EngineProcess
from tests.faults.conftest import OpenWorld
from tests.faults.load import draw
from tests.faults.timeline import explain
from tests.faults.world import SEVERAL, World

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

FROZEN_SECONDS: Final = {"consumer": 4.0, "worker": 4.0, "relay": 9.0}
"""Session, relay's lease and idle transactions time out after 2 s, the relay's own transaction after 7."""
FREEZES: Final = 2
SECONDS: Final = 45.0
SEED: Final = 31
STATEMENT_ENDS_WITHIN: Final = 0.05
TRY_AGAIN_AFTER: Final = 0.03


@pytest.mark.parametrize("kind", ["consumer", "worker", "relay"])
async def test_a_zombie_beside_its_rival_breaks_no_promise(open_world: OpenWorld, kind: str) -> None:
    async with open_world(size=SEVERAL) as around:
        playing = asyncio.create_task(around.play(draw(SEED, contacts=120, seconds=SECONDS)))
        for _ in range(FREEZES):
            await more_sends(around)
            frozen = await freeze_amid_a_transaction(around, kind)
            try:
                await asyncio.sleep(FROZEN_SECONDS[kind])
                await more_sends(around)  # its rival's
            finally:
                frozen.resume()
        await playing
        violations = await around.verdict(60)
        assert not violations, explain(await around.history(), violations)
        assert around.crew.ended() == [], [around.crew.log(name) for name in around.crew.ended()]


async def more_sends(around: World) -> None:
    """So that somebody is surely at work."""
    seen = len(around.told("whatsapp.send.requested"))
    await around.until(lambda: len(around.told("whatsapp.send.requested")) > seen + 5, within=60)


async def freeze_amid_a_transaction(around: World, kind: str) -> EngineProcess:
    """One of a kind, caught while it holds locks in the database."""
    connection = await asyncpg.connect(around.environment["DATABASE_URL"])
    try:
        async with asyncio.timeout(60):
            for process in cycle([each for name, each in around.crew.processes.items() if name.startswith(kind)]):
                process.pause()
                await asyncio.sleep(STATEMENT_ENDS_WITHIN)
                if await is_amid_a_transaction(connection, process):
                    return process
                process.resume()
                await asyncio.sleep(TRY_AGAIN_AFTER)
    finally:
        await connection.close()
    raise AssertionError("a cycle has no end")


async def is_amid_a_transaction(connection: "asyncpg.Connection[asyncpg.Record]", process: EngineProcess) -> bool:
    ports = [each.laddr.port for each in psutil.Process(process.pid).net_connections("tcp")]
    return bool(
        await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND state = 'idle in transaction' AND backend_xid IS NOT NULL"
            " AND client_port = ANY($1)",
            ports,
        )
    )
