"""A next version brings a newer schema while this one is at work, and then works beside it: as in every rollout."""

import asyncio
from pathlib import Path
from typing import Final

import pytest

from cadence_engine.devstack.fleet import EngineProcess, command
from tests.faults.conftest import OpenWorld
from tests.faults.crew import KINDS
from tests.faults.plan import cadence
from tests.faults.planted import copy_engine
from tests.faults.test_rolling import NEW_FIELD
from tests.faults.timeline import explain
from tests.faults.world import World
from tests.storage.next_migration import add_next

pytestmark = pytest.mark.timeout(180)

COMPLETED: Final = "cadence.enrollment.completed"
CANCELLED: Final = "cadence.enrollment.cancelled"
PHONE: Final = "+5511999990000"
HELLO: Final = cadence("acme", "hello", "contact.created", 0, 1)
LATER: Final = cadence("acme", "later", "contact.created", 0, days=1)
GROWN: Final = """in_transaction(
        '''
        ALTER TABLE companies ADD COLUMN plan text;
        ALTER TABLE contacts ADD COLUMN nickname text, ADD COLUMN visits integer NOT NULL DEFAULT 0;
        ALTER TABLE cadence_versions ADD COLUMN note text;
        ALTER TABLE cadences ADD COLUMN note text;
        ALTER TABLE cadence_enrollments ADD COLUMN note text;
        ALTER TABLE event_batches ADD COLUMN shard integer NOT NULL DEFAULT 0;
        ALTER TABLE cadence_events ADD COLUMN shard integer NOT NULL DEFAULT 0;
        ALTER TABLE dead_letters ADD COLUMN note text;
        ALTER TABLE inbox ADD COLUMN note text;
        ALTER TABLE stream_progress ADD COLUMN note text;
        ALTER TABLE reply_gate ADD COLUMN note text;
        ALTER TABLE relay_state ADD COLUMN note text;
        CREATE TABLE nicknames (company_id text NOT NULL REFERENCES companies, nickname text NOT NULL);
        '''
    )
    outside_of_transaction(
        "DROP INDEX CONCURRENTLY IF EXISTS contacts_by_nickname",
        "CREATE INDEX CONCURRENTLY contacts_by_nickname ON contacts (company_id, nickname)",
    )"""
"""A column more in every table that statements are prepared for, and what else an expanding migration may bring."""


@pytest.fixture
def next_version(tmp_path: Path) -> Path:
    engine = copy_engine(tmp_path / "next", [NEW_FIELD])
    add_next(engine / "cadence_engine" / "storage" / "migrations", GROWN)
    return engine


async def test_this_version_goes_on_upon_the_next_ones_schema_and_beside_it(
    open_world: OpenWorld, next_version: Path, tmp_path: Path
) -> None:
    async with open_world(cadences=[HELLO, LATER]) as around:
        await a_wave(around, "before")

        following = {**around.environment, "PYTHONPATH": str(next_version)}
        await asyncio.to_thread(command, following, "migrate")
        await a_wave(around, "upon")
        assert told_by(around) == {None}
        for name in around.crew.processes:
            assert not troubles(around.crew.log(name)), f"{name} stumbled over the newer schema"

        for kind in ("consumer", "worker", "relay"):
            process: EngineProcess = KINDS[kind](tmp_path / "new" / kind, following)
            around.crew.processes[f"next-{kind}"] = process
        await around.crew.start()
        async with asyncio.timeout(60):
            for n in range(100):
                await a_wave(around, f"beside-{n}")
                if told_by(around) == {None, "next"}:
                    break

        violations = await around.verdict(60)
        assert not violations, explain(await around.history(), violations)
        assert around.crew.ended() == []


async def a_wave(around: World, name: str) -> None:
    """Contacts that complete a passage, and one whose reply ends the other before."""
    contacts = [f"{name}-{n}" for n in range(10)]
    await around.publish("contact.created", "acme", contacts, phone=PHONE)
    await around.until(lambda: {*contacts} <= {each.data["contactId"] for each in around.told(COMPLETED)})
    await around.publish("message.received", "acme", contacts[:1], messageId=f"m-{name}")
    await around.until(lambda: contacts[0] in {each.data["contactId"] for each in around.told(CANCELLED)})


def told_by(around: World) -> set[str | None]:
    """The versions that ended passages: the consumer's hand, and the worker's."""
    return {each.data.get("release") for kind in (COMPLETED, CANCELLED) for each in around.told(kind)}


def troubles(log: str) -> list[str]:
    return [line for line in log.splitlines() if "_failed" in line or "_stuck" in line]
