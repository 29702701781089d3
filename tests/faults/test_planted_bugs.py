"""Each bug, planted in a copy of the engine whose real processes meet the fault that exposes it, is caught.

A plant may slow the copy down where the race would be rare; what is slow alone breaks nothing, as the last test shows.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from cadence_engine.bus.relay.points import Point
from tests.faults import road
from tests.faults.conftest import OpenWorld
from tests.faults.load import ZONES, draw
from tests.faults.oracle.violations import Promise, Violation
from tests.faults.plan import cadence
from tests.faults.planted import Edit
from tests.faults.world import World

pytestmark = pytest.mark.chaos

ACME = "acme"
PHONE = "+5511999990000"
TEN = [f"c{n}" for n in range(10)]
STARTED, SEND = "cadence.enrollment.started", "whatsapp.send.requested"
BREAKABLE_RELAY = Path(__file__).parent.parent / "bus" / "relay" / "breakable_relay.py"
SOON = 12.0
"""Seconds for a run that is not expected to come to its end."""


def promises(violations: list[Violation]) -> set[Promise]:
    return {violation.promise for violation in violations}


async def create(around: World, contacts: list[str] = TEN) -> None:
    await around.publish("contact.created", ACME, contacts, phone=PHONE)


# A relay cursor over serial ids

LATE_COMMITS = Edit(
    "storage/database.py",
    "        await events.append(connection, unit.events)",
    "        await events.append(connection, unit.events)\n"
    "        import asyncio, random\n"
    "        await asyncio.sleep(0.3 * random.random() if unit.events else 0)",
)
CURSOR = Edit(
    "storage/relay.py",
    "FROM event_batches AS batch WHERE published_at IS NULL\nORDER BY",
    "FROM event_batches AS batch WHERE published_at IS NULL\n"
    "AND batch_id > (SELECT coalesce(max(batch_id), 0) FROM event_batches WHERE published_at IS NOT NULL)\nORDER BY",
)


async def test_a_relay_cursor_over_serial_ids(open_world: OpenWorld) -> None:
    async with open_world(edits=[LATE_COMMITS, CURSOR]) as around:
        await around.play(draw(2, contacts=20, seconds=3))
        assert promises(await around.verdict(SOON)) & {Promise.NOTHING_MISSING, Promise.REVISIONS}


# Ack before commit

APPLY = "            _, wake_at = await database.run(self._pool, lambda unit: self._apply(unit, page, self._policy))\n"
ACK_FIRST = Edit(
    "bus/consumer.py",
    APPLY,
    "            from cadence_engine.storage import progress\n"
    "            await database.run(self._pool, lambda unit: progress.advance(unit.connection, page.spans))\n"
    f"            await asyncio.sleep(0.5)\n{APPLY}",
)


async def test_an_ack_before_the_commit(open_world: OpenWorld) -> None:
    async with open_world(edits=[ACK_FIRST]) as around:
        playing = asyncio.create_task(around.play(draw(3, contacts=30, seconds=6)))
        await around.until(lambda: len(around.told(STARTED)) > 5)
        await around.crew.kill("consumer-1")
        await around.crew.revive("consumer-1")
        await playing
        assert Promise.NOTHING_MISSING in promises(await around.verdict(SOON))


# A missing revision check

NO_LOCK_ON_CLAIM = Edit("storage/enrollments/claim.py", "        FOR UPDATE SKIP LOCKED\n", "")
SLOW_DECISION = Edit(
    "handlers/due_steps.py",
    "    decisions = list(_decide(claimed, versions, reading.now, policy))\n",
    "    decisions = list(_decide(claimed, versions, reading.now, policy))\n"
    "    import asyncio\n    await asyncio.sleep(0.3)\n",
)
NO_REVISION_CHECK = Edit("storage/enrollments/save.py", " AND e.revision = new.decided_on", "")


@pytest.mark.parametrize("checked", [True, False])
async def test_a_missing_revision_check(open_world: OpenWorld, checked: bool) -> None:
    """The claim's lock hides it: so that goes as well, and the check alone still keeps the promise."""
    edits = [NO_LOCK_ON_CLAIM, SLOW_DECISION, *([] if checked else [NO_REVISION_CHECK])]
    plan = [cadence(ACME, "hello", "contact.created", 0.5, 0.5)]
    async with open_world(edits=edits, cadences=plan, size={"consumer": 1, "worker": 2, "relay": 1}) as around:
        await create(around)
        found = promises(await around.verdict())
        assert found == set() if checked else Promise.PUBLISHED_ONCE in found


# A mark that is not looked at after a crash, or not committed with the messages

MARK_NOT_LOOKED_AT = Edit(
    "bus/relay/process.py",
    "                mark = await settle(connection, committed)\n",
    "                from cadence_engine.bus.relay.mark import Mark\n"
    "                state = await storage.state(connection)\n"
    "                mark = Mark(state.last_mark, state.last_digest)\n",
)
MARK_APART = (
    Edit(
        "bus/relay/publisher.py",
        "            await self._commit_mark(mark)\n            # Kafka",
        "            # Kafka",
    ),
    Edit(
        "bus/relay/publisher.py",
        "        await on_point(Point.AFTER_KAFKA_COMMIT)\n",
        "        await on_point(Point.AFTER_KAFKA_COMMIT)\n        await self.repeat(mark)\n",
    ),
)


@asynccontextmanager
async def relay_that_dies(around: World, point: Point) -> AsyncIterator[asyncio.subprocess.Process]:
    """A relay that kills itself when it first comes to a point."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-P", str(BREAKABLE_RELAY), point, signal.SIGKILL.name, "1"),
        env={**os.environ, **around.environment},
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("edits", [[], [MARK_NOT_LOOKED_AT], MARK_APART], ids=["sound", "not looked at", "apart"])
async def test_a_mark_that_does_not_tell(open_world: OpenWorld, edits: list[Edit]) -> None:
    plan = [cadence(ACME, "hello", "contact.created", 0, 0.5)]
    async with open_world(edits=edits, cadences=plan) as around:
        await create(around, ["before"])
        await around.until(lambda: len(around.told(SEND)) == 2)
        await around.crew.kill("relay-1")
        async with relay_that_dies(around, Point.AFTER_KAFKA_COMMIT) as dying:
            await create(around)
            assert await asyncio.wait_for(dying.wait(), 20) == -signal.SIGKILL
        await around.crew.revive("relay-1")
        found = promises(await around.verdict())
        assert Promise.PUBLISHED_ONCE in found if edits else found == set()


# A worker that ignores the watermark

NO_WATERMARK = Edit(
    "domain/gate.py",
    "    lag = reading.now - reading.watermark\n",
    "    return reading.now\n    lag = reading.now - reading.watermark\n",
)


async def test_a_worker_that_ignores_the_watermark(open_world: OpenWorld) -> None:
    plan = [cadence(ACME, "hello", "contact.created", 0, 3)]
    async with open_world(edits=[NO_WATERMARK], cadences=plan) as around:
        await create(around)
        await around.until(lambda: len(around.told(SEND)) == len(TEN))
        await around.crew.kill("consumer-1")
        await around.publish("message.received", ACME, TEN)
        await around.until(lambda: len(around.told(SEND)) == 2 * len(TEN))
        await around.crew.revive("consumer-1")
        assert Promise.NONE_AFTER_A_STOP in promises(await around.verdict(SOON))


# No lock on the contact between a reply and an enroll

NO_LOCK_ON_CONTACT = Edit("storage/contacts.py", "        FOR NO KEY UPDATE OF contact\n", "")
SLOW_ENROLL = Edit(
    "handlers/triggers.py",
    "    return await enroll_locked(unit, requests, locked, policy)\n",
    "    outcomes = await enroll_locked(unit, requests, locked, policy)\n"
    "    import asyncio\n    await asyncio.sleep(1)\n    return outcomes\n",
)


@pytest.mark.parametrize("locked", [True, False])
async def test_no_lock_between_a_reply_and_an_enroll(open_world: OpenWorld, locked: bool) -> None:
    plan = [cadence(ACME, "hello", "contact.created", 0), cadence(ACME, "upsell", "purchase.completed", 3)]
    async with open_world(edits=[SLOW_ENROLL, *([] if locked else [NO_LOCK_ON_CONTACT])], cadences=plan) as around:
        await create(around)
        await around.until(lambda: len(around.told(STARTED)) == len(TEN))
        await around.publish("purchase.completed", ACME, TEN, purchaseId="p")
        await asyncio.sleep(0.3)  # the enroll is under way: nobody outside can see that
        await around.publish("message.received", ACME, TEN)
        found = promises(await around.verdict(SOON))
        assert found == set() if locked else Promise.NONE_AFTER_A_STOP in found


# A batch id drawn before the locks

SLOW_REPLY = Edit(
    "handlers/replies.py",
    "    locked = await contacts.lock_or_add(",
    "    import asyncio\n    await asyncio.sleep(1.3)\n    locked = await contacts.lock_or_add(",
)
SLOW_STEP = Edit(
    "handlers/due_steps.py",
    "    if not claimed:\n        return Ran()\n",
    "    if not claimed:\n        return Ran()\n    import asyncio\n    await asyncio.sleep(1.5)\n",
)
SLOW_RELAY = Edit("bus/relay/pace.py", "    return min(0.05, 0.01 * (polls + 1))", "    return 0.5")
ID_DRAWN_FIRST = (
    Edit(
        "storage/database.py",
        "        yield unit\n        await events.append(connection, unit.events)",
        "        batch_id = await connection.fetchval(\"SELECT nextval('event_batches_batch_id_seq')\")\n"
        "        yield unit\n        await events.append(connection, unit.events, batch_id)",
    ),
    Edit(
        "storage/events.py",
        "INSERT INTO event_batches DEFAULT VALUES RETURNING",
        "INSERT INTO event_batches (batch_id) OVERRIDING SYSTEM VALUE VALUES ($9) RETURNING",
    ),
    Edit("storage/events.py", "events: Sequence[Event]) -> None:", "events: Sequence[Event], batch_id: int) -> None:"),
    Edit(
        "storage/events.py",
        "            [orjson.dumps(event.data).decode() for event in chunk],\n",
        "            [orjson.dumps(event.data).decode() for event in chunk],\n            batch_id,\n",
    ),
)


@pytest.mark.parametrize("drawn_last", [True, False])
async def test_a_batch_id_drawn_before_the_locks(open_world: OpenWorld, drawn_last: bool) -> None:
    """The worker sleeps past the due time, until the reply has drawn its id and not yet come to the locks."""
    plan = [cadence(ACME, "hello", "contact.created", 2, 60)]
    edits = [SLOW_REPLY, SLOW_STEP, SLOW_RELAY, *([] if drawn_last else ID_DRAWN_FIRST)]
    async with open_world(edits=edits, cadences=plan) as around:
        await create(around)
        await around.until(lambda: len(around.told(STARTED)) == len(TEN))
        due = max(started.instant("nextRunAt") for started in around.told(STARTED))
        worker = around.crew.processes["worker-1"]
        worker.pause()
        try:
            await asyncio.sleep((due - datetime.now(UTC)).total_seconds() + 0.3)
            await around.publish("message.received", ACME, TEN)
            await asyncio.sleep(0.3)
        finally:
            worker.resume()
        found = promises(await around.verdict())
        assert len(around.told(SEND)) == len(TEN), "the step was to run before the reply that came after it"
        assert found == set() if drawn_last else Promise.REVISIONS in found


# A watermark from known partitions only

KNOWN_PARTITIONS = Edit(
    "bus/watermark.py",
    "        ends = await self._ends.read()\n",
    "        ends = {each: end for each, end in (await self._ends.read()).items() if each in progress}\n",
)
LATE_DISCOVERY = Edit("bus/consumer.py", "METADATA_MAX_AGE_MS: Final = 3_000", "METADATA_MAX_AGE_MS: Final = 60_000")


async def test_a_watermark_from_known_partitions_only(open_world: OpenWorld) -> None:
    plan = [cadence(ACME, "hello", "contact.created", 0, 4)]
    async with open_world(edits=[KNOWN_PARTITIONS, LATE_DISCOVERY], cadences=plan) as around:
        await create(around)
        await around.until(lambda: len(around.told(STARTED)) == len(TEN))
        await road.add_partition(around.bootstrap_servers, f"{around.prefix}message.received", 3)
        async with AIOKafkaProducer(bootstrap_servers=around.bootstrap_servers) as producer:
            replies = road.Writer(producer, around.prefix)
            for contact in TEN:
                await replies.send("message.received", contact, {"companyId": ACME, "contactId": contact}, partition=2)
            await replies.flush()
        around.writer.acknowledged |= replies.acknowledged
        assert Promise.NONE_AFTER_A_STOP in promises(await around.verdict(SOON))


# A zone computed in server time

SERVER_TIME = Edit(
    "domain/schedule.py",
    "        local = Instant(start).to_tz(zone).to_plain().add(days=wait.days)\n",
    "        zone = 'UTC'\n        local = Instant(start).to_tz(zone).to_plain().add(days=wait.days)\n",
)
QUARTERS = (91, 182, 273)
"""Of these waits one crosses a change of the clocks, whatever the day."""


@pytest.mark.parametrize("in_zone", [True, False])
async def test_a_zone_computed_in_server_time(open_world: OpenWorld, in_zone: bool) -> None:
    plan = [cadence(ACME, f"after-{days}-days", "contact.created", 0, days=days) for days in QUARTERS]
    async with open_world(edits=[] if in_zone else [SERVER_TIME], cadences=plan) as around:
        for zone in ZONES:
            await around.publish("contact.created", ACME, [zone], phone=PHONE, timeZone=zone)
        found = promises(await around.verdict())
        assert found == set() if in_zone else Promise.DUE_TIMES in found


# The delays alone


async def test_what_is_slow_alone_breaks_nothing(open_world: OpenWorld) -> None:
    async with open_world(edits=[LATE_COMMITS, SLOW_RELAY, SLOW_DECISION, LATE_DISCOVERY]) as around:
        await around.play(draw(2, contacts=20, seconds=3))
        assert await around.verdict() == []


def test_a_bug_that_no_longer_fits_the_source_says_so(tmp_path: Path) -> None:
    from tests.faults.planted import copy_engine

    with pytest.raises(LookupError, match="The code has moved"):
        copy_engine(tmp_path / "engine", [Edit("domain/gate.py", "what is not there", "")])
