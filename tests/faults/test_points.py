"""SIGKILL of every process at every point between the statements of its transaction, found by listening in on them."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import StrEnum
from functools import partial
from typing import Final

import pytest

from cadence_engine.bus.relay.points import Point
from tests.faults.conftest import OpenWorld
from tests.faults.links.ambush import Ambush, Moment
from tests.faults.links.link import Link
from tests.faults.links.postgres import PostgresWatch, Statement, port_of, through
from tests.faults.load import draw
from tests.faults.test_planted_bugs import relay_that_dies
from tests.faults.timeline import explain
from tests.faults.world import World

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

SEED: Final = 19
SECONDS: Final = 15.0
LOG: Final = "INSERT INTO event_batches"
EFFECTS: Final = ("INSERT INTO cadence_enrollments", "UPDATE cadence_enrollments")


class Between(StrEnum):
    """Where in a transaction of consumer or worker the process dies; all but the first have something to lose."""

    BEGIN_AND_FIRST = "begin and first"
    CLAIM_AND_EFFECTS = "claim and effects"
    EFFECTS_AND_LOG = "effects and log"
    LOG_AND_COMMIT = "log and commit"
    COMMIT_AND_ITS_ANSWER = "commit and its answer"

    @property
    def moment(self) -> Moment:
        return Moment.AFTER if self is Between.COMMIT_AND_ITS_ANSWER else Moment.BEFORE

    def of(self, kind: str) -> Callable[[Statement], bool]:
        """Whether it lies right before this statement, or behind it, of a process of this kind."""
        return lambda statement: statement.application == f"cadence-engine {kind}" and self._comes_at(statement)

    def _comes_at(self, statement: Statement) -> bool:
        match self:
            case Between.BEGIN_AND_FIRST:
                return len(statement.before) == 1
            case Between.CLAIM_AND_EFFECTS:
                return any(effect in statement.text for effect in EFFECTS)
            case Between.EFFECTS_AND_LOG:
                return LOG in statement.text
            case Between.LOG_AND_COMMIT | Between.COMMIT_AND_ITS_ANSWER:
                return statement.is_commit and statement.follows(LOG)


@pytest.mark.parametrize("kind", ["consumer", "worker"])
async def test_killed_between_any_two_statements_it_keeps_every_promise(
    open_world: OpenWorld, database_url: str, kind: str
) -> None:
    ambush = Ambush[Statement]()
    async with (
        Link(port_of(database_url), watch=lambda: PostgresWatch(ambush)) as link,
        open_world(DATABASE_URL=through(link.port, database_url)) as around,
        playing(around),
    ):
        for kill, between in enumerate((*Between, *Between)):
            ambush.lay(between.moment, between.of(kind), partial(around.crew.kill, f"{kind}-1"))
            await publish_some(around, kill)
            await ambush.struck()
            await around.crew.revive(f"{kind}-1")


async def test_a_relay_killed_at_any_point_keeps_every_promise(open_world: OpenWorld) -> None:
    async with open_world() as around, playing(around):
        await around.crew.kill("relay-1")
        for kill, point in enumerate((*Point, *Point)):
            async with relay_that_dies(around, point) as dying:
                await publish_some(around, kill)
                assert await asyncio.wait_for(dying.wait(), 60) == -signal.SIGKILL
        await around.crew.revive("relay-1")


@asynccontextmanager
async def playing(around: World) -> AsyncIterator[None]:
    """A random load meanwhile; at the end, the verdict."""
    load = asyncio.create_task(around.play(draw(SEED, contacts=50, seconds=SECONDS)))
    try:
        yield
        await load
    finally:
        load.cancel()
    violations = await around.verdict()
    assert not violations, explain(await around.history(), violations)
    assert around.crew.ended() == []


async def publish_some(around: World, kill: int) -> None:
    """So that there is a transaction to die in, however long the load has ended."""
    contacts = [f"at-kill-{kill}-{number}" for number in range(5)]
    await around.publish("contact.created", "acme", contacts, phone="+5511999990000")
