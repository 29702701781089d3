"""Each bug, planted in a copy of the engine whose real processes meet the fault that exposes it, is caught.

A race is never left to chance: the copies wait at the right places until the other side has come to its own. Where a
copy without the bug goes through the same, it breaks nothing.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from cadence_engine.bus.relay.points import Point
from tests.faults import road
from tests.faults.conftest import OpenWorld
from tests.faults.load import ZONES
from tests.faults.oracle import judge
from tests.faults.oracle.violations import Promise, Violation
from tests.faults.plan import cadence
from tests.faults.planted import Edit, copy_engine, staged
from tests.faults.stage import Stage
from tests.faults.world import World

pytestmark = pytest.mark.chaos

ACME = "acme"
PHONE = "+5511999990000"
ANA, BOB = "ana", "bob"
WITHIN = 40.0
STARTED, SEND = "cadence.enrollment.started", "whatsapp.send.requested"
BREAKABLE_RELAY = Path(__file__).parent.parent / "bus" / "relay" / "breakable_relay.py"
ENROLLED_FOR_A_DAY = cadence(ACME, "hello", "contact.created", 0, days=1)
BOUGHT_FOR_A_DAY = cadence(ACME, "upsell", "purchase.completed", 0, days=1)

ALL_IS_PUBLISHED = "SELECT NOT EXISTS (SELECT FROM event_batches WHERE published_at IS NULL)"
WATERMARK_PASSED = "SELECT watermark >= $1 FROM reply_gate"
REPLY_IS_APPLIED_OR_WAITS = """
    SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')
        OR EXISTS (SELECT FROM stream_progress WHERE topic LIKE '%message.received' AND next_offset > 0)
"""

sound_and_not = pytest.mark.parametrize("sound", [True, False], ids=["sound", "planted"])


def promises(violations: list[Violation]) -> set[Promise]:
    return {violation.promise for violation in violations}


def stage_of(around: World) -> Stage:
    return staged(Path(around.environment["PYTHONPATH"]))


async def create(around: World, *contacts: str) -> None:
    await around.publish("contact.created", ACME, contacts, phone=PHONE)


async def started(around: World, contact: str, cadence_key: str = "hello") -> datetime:
    """When its first step is due, as soon as its start is told."""

    def nexts() -> list[datetime]:
        told = [each for each in around.told(STARTED) if each.data["cadenceKey"] == cadence_key]
        return [each.instant("nextRunAt") for each in told if each.contact == (ACME, contact)]

    await around.until(lambda: bool(nexts()), WITHIN)
    return nexts()[0]


async def until_database(around: World, question: str, *arguments: object) -> None:
    """Wait until the engine's database answers yes: where nothing outside tells when the time has come."""
    connection = await asyncpg.connect(around.environment["DATABASE_URL"])
    try:
        async with asyncio.timeout(WITHIN):
            while not await connection.fetchval(question, *arguments):  # noqa: ASYNC110  # it tells nobody
                await asyncio.sleep(0.02)
    finally:
        await connection.close()


def logged(type_: str, times: int = 1) -> str:
    return f"SELECT count(*) >= {times} FROM cadence_events WHERE type = '{type_}'"  # noqa: S608  # ours


HOLD_BEFORE_COMMIT = Edit(
    "storage/database.py",
    "        await events.append(connection, unit.events)",
    "        await events.append(connection, unit.events)\n"
    "        from cadence_engine.stage import STAGE\n"
    "        if unit.events and STAGE.was_told('hold') and not STAGE.was_told('held'):\n"
    "            STAGE.tell('held')\n"
    "            await STAGE.hear('go', connection)",
)


# A relay cursor over serial ids

CURSOR = Edit(
    "storage/relay.py",
    "FROM event_batches AS batch WHERE published_at IS NULL\nORDER BY",
    "FROM event_batches AS batch WHERE published_at IS NULL\n"
    "AND batch_id > (SELECT coalesce(max(batch_id), 0) FROM event_batches WHERE published_at IS NOT NULL)\nORDER BY",
)


@sound_and_not
async def test_a_relay_cursor_over_serial_ids(open_world: OpenWorld, sound: bool) -> None:
    edits = [HOLD_BEFORE_COMMIT, *([] if sound else [CURSOR])]
    async with open_world(edits=edits, cadences=[ENROLLED_FOR_A_DAY, BOUGHT_FOR_A_DAY]) as around:
        stage = stage_of(around)
        await create(around, BOB)
        await started(around, BOB)
        stage.tell("hold")
        await create(around, ANA)
        await stage.hear("held")
        await around.publish("purchase.completed", ACME, [BOB], purchaseId="beside")
        await started(around, BOB, "upsell")
        stage.tell("go")
        await until_database(around, logged(STARTED, 3))
        await around.publish("purchase.completed", ACME, [ANA], purchaseId="behind")
        await started(around, ANA, "upsell")
        found = judge(await around.history())
        assert promises(found) == (set() if sound else {Promise.NOTHING_MISSING})
        assert {violation.contact for violation in found} == (set() if sound else {(ACME, ANA)})


# Ack before commit

APPLY = (
    "            counts, wake_at = await database.run(self._pool, lambda unit: self._apply(unit, page, self._policy))\n"
)
ACK_FIRST = Edit(
    "bus/consumer.py",
    APPLY,
    "            from cadence_engine.stage import STAGE\n"
    "            from cadence_engine.storage import progress\n"
    "            await database.run(self._pool, lambda unit: progress.advance(unit.connection, page.spans))\n"
    "            if page.received and STAGE.was_told('hold') and not STAGE.was_told('held'):\n"
    "                STAGE.tell('held')\n"
    f"                await STAGE.hear('go')\n{APPLY}",
)


@sound_and_not
async def test_an_ack_before_the_commit(open_world: OpenWorld, sound: bool) -> None:
    async with open_world(edits=[HOLD_BEFORE_COMMIT if sound else ACK_FIRST], cadences=[ENROLLED_FOR_A_DAY]) as around:
        stage = stage_of(around)
        stage.tell("hold")
        await create(around, ANA)
        await stage.hear("held")
        await around.crew.kill("consumer-1")
        stage.tell("go")
        await around.crew.revive("consumer-1")
        await create(around, BOB)
        await started(around, BOB)
        if sound:
            await started(around, ANA)
        found = judge(await around.history())
        assert promises(found) == (set() if sound else {Promise.NOTHING_MISSING})


# A missing revision check

NO_LOCK_ON_CLAIM = Edit("storage/enrollments/claim.py", "        FOR UPDATE SKIP LOCKED\n", "")
BOTH_CLAIM = Edit(
    "handlers/due_steps.py",
    "    decisions = list(_decide(claimed, versions, reading.now, policy))\n",
    "    decisions = list(_decide(claimed, versions, reading.now, policy))\n"
    "    import os\n"
    "    from cadence_engine.stage import STAGE\n"
    "    STAGE.tell('claimed', by=os.getpid())\n"
    "    await STAGE.hear('claimed', unit.connection, from_so_many=2)\n",
)
NO_REVISION_CHECK = Edit("storage/enrollments/save.py", " AND e.revision = new.decided_on", "")


@sound_and_not
async def test_a_missing_revision_check(open_world: OpenWorld, sound: bool) -> None:
    """The claim's lock hides it: so that goes as well, and the check alone still keeps the promise."""
    edits = [NO_LOCK_ON_CLAIM, BOTH_CLAIM, *([] if sound else [NO_REVISION_CHECK])]
    plan = [cadence(ACME, "hello", "contact.created", 0.5)]
    async with open_world(edits=edits, cadences=plan, size={"consumer": 1, "worker": 2, "relay": 1}) as around:
        await create(around, ANA)
        if sound:
            assert await around.verdict() == []
            return
        await until_database(around, logged("cadence.step.executed", 2))
        await until_database(around, ALL_IS_PUBLISHED)
        assert Promise.PUBLISHED_ONCE in promises(judge(await around.history()))


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
    # Whoever looks at the records would not need the mark.
    Edit("bus/relay/dropped.py", "    state = await", "    return told\n    state = await"),
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
    async with open_world(edits=edits, cadences=[ENROLLED_FOR_A_DAY]) as around:
        await create(around, "before")
        await started(around, "before")
        await until_database(around, ALL_IS_PUBLISHED)
        await asyncio.to_thread(around.crew.processes["relay-1"].stop)
        async with relay_that_dies(around, Point.AFTER_KAFKA_COMMIT) as dying:
            await create(around, ANA)
            assert await asyncio.wait_for(dying.wait(), WITHIN) == -signal.SIGKILL
        await around.crew.revive("relay-1")
        await create(around, "after")
        await started(around, "after")  # so the next relay has published: what it repeats, it has repeated
        found = promises(judge(await around.history()))
        assert Promise.PUBLISHED_ONCE in found if edits else found == set()


# A worker that ignores the watermark

NO_WATERMARK = Edit(
    "domain/gate.py",
    "    lag = reading.now - reading.watermark\n",
    "    return reading.now\n    lag = reading.now - reading.watermark\n",
)


async def test_a_worker_that_ignores_the_watermark(open_world: OpenWorld) -> None:
    plan = [cadence(ACME, "hello", "contact.created", 2)]
    async with open_world(edits=[NO_WATERMARK], cadences=plan) as around:
        await create(around, ANA)
        await started(around, ANA)
        around.crew.processes["consumer-1"].pause()
        try:
            await around.publish("message.received", ACME, [ANA])
            await around.until(lambda: bool(around.told(SEND)), WITHIN)
            assert Promise.NONE_AFTER_A_STOP in promises(judge(await around.history()))
        finally:
            around.crew.processes["consumer-1"].resume()


# No lock on the contact between a reply and an enroll

NO_LOCK_ON_CONTACT = (
    Edit("storage/contacts.py", "        FOR NO KEY UPDATE OF contact\n", ""),
    Edit(
        "storage/contacts.py",
        "    company_ids, contact_ids = _columns(mentions)\n",
        "    return await lock(connection, mentions)\n",
    ),
)
HOLD_ENROLL = Edit(
    "handlers/triggers.py",
    "    return await enroll_locked(unit, requests, locked, policy, newcomers=newcomers)\n",
    "    outcomes = await enroll_locked(unit, requests, locked, policy, newcomers=newcomers)\n"
    "    from cadence_engine.stage import STAGE\n"
    "    if STAGE.was_told('hold'):\n"
    "        STAGE.tell('enrolled')\n"
    "        await STAGE.hear('go', unit.connection)\n"
    "    return outcomes\n",
)


@sound_and_not
async def test_no_lock_between_a_reply_and_an_enroll(open_world: OpenWorld, sound: bool) -> None:
    plan = [ENROLLED_FOR_A_DAY, cadence(ACME, "upsell", "purchase.completed", 2)]
    async with open_world(edits=[HOLD_ENROLL, *([] if sound else NO_LOCK_ON_CONTACT)], cadences=plan) as around:
        stage = stage_of(around)
        await create(around, ANA)
        await started(around, ANA)
        stage.tell("hold")
        await around.publish("purchase.completed", ACME, [ANA], purchaseId="p")
        await stage.hear("enrolled")
        await around.publish("message.received", ACME, [ANA])
        await until_database(around, REPLY_IS_APPLIED_OR_WAITS)
        stage.tell("go")
        if sound:
            assert await around.verdict() == []
            return
        await around.until(lambda: bool(around.told(SEND)), WITHIN)
        assert Promise.NONE_AFTER_A_STOP in promises(judge(await around.history()))


# A batch id drawn before the locks

WORKER_WAITS_FOR_REPLY = Edit(
    "scheduling/due_steps.py",
    "        rows, fairly = self._rows, self._fairly\n",
    "        from cadence_engine.stage import STAGE\n"
    "        if STAGE.was_told('hold'):\n"
    "            await STAGE.hear('reply begun')\n"
    "        rows, fairly = self._rows, self._fairly\n",
)
REPLY_WAITS_FOR_CLAIM = Edit(
    "handlers/replies.py",
    "    locked, known = await contacts.lock_or_imagine(",
    "    from cadence_engine.stage import STAGE\n"
    "    STAGE.tell('reply begun')\n"
    "    await STAGE.hear('claimed', unit.connection)\n"
    "    locked, known = await contacts.lock_or_imagine(",
)
TELL_CLAIM = Edit(
    "handlers/due_steps.py",
    "    keys = {(e.company_id, e.cadence_id, e.version) for e, _ in claimed}\n",
    "    keys = {(e.company_id, e.cadence_id, e.version) for e, _ in claimed}\n"
    "    from cadence_engine.stage import STAGE\n    STAGE.tell('claimed')\n",
)
ID_DRAWN_FIRST = (
    Edit(
        "storage/database.py",
        "        yield unit\n        await events.append(connection, unit.events)",
        "        batch_id = await connection.fetchval(\"SELECT nextval('event_batches_batch_id_seq')\")\n"
        "        yield unit\n        await events.append(connection, unit.events, batch_id)",
    ),
    Edit(
        "storage/events.py",
        "INSERT INTO event_batches (traceparent) VALUES ($1) RETURNING",
        "INSERT INTO event_batches (batch_id) OVERRIDING SYSTEM VALUE VALUES ($1) RETURNING",
    ),
    Edit("storage/events.py", "events: Sequence[Event]) -> None:", "events: Sequence[Event], batch_id: int) -> None:"),
    Edit(
        "storage/events.py",
        "await connection.fetchrow(BATCH, TRACEPARENT.get())",
        "await connection.fetchrow(BATCH, batch_id)",
    ),
)


@sound_and_not
async def test_a_batch_id_drawn_before_the_locks(open_world: OpenWorld, sound: bool) -> None:
    """The reply's transaction is there first and locks last; the relay sees both of them at once."""
    plan = [cadence(ACME, "hello", "contact.created", 0.5, 0, days=1)]
    edits = [WORKER_WAITS_FOR_REPLY, REPLY_WAITS_FOR_CLAIM, TELL_CLAIM, *([] if sound else ID_DRAWN_FIRST)]
    async with open_world(edits=edits, cadences=plan) as around:
        stage_of(around).tell("hold")
        await create(around, ANA)
        await until_database(around, WATERMARK_PASSED, await started(around, ANA))
        await until_database(around, ALL_IS_PUBLISHED)
        around.crew.processes["relay-1"].pause()
        try:
            await around.publish("message.received", ACME, [ANA])
            await until_database(around, logged("cadence.enrollment.cancelled"))
        finally:
            around.crew.processes["relay-1"].resume()
        await until_database(around, ALL_IS_PUBLISHED)
        found = promises(judge(await around.history()))
        assert found == set() if sound else Promise.REVISIONS in found


# A watermark from known partitions only

KNOWN_PARTITIONS = Edit(
    "bus/watermark.py",
    "        ends = await self._ends.read()\n",
    "        ends = {each: end for each, end in (await self._ends.read()).items() if each in progress}\n",
)
LATE_DISCOVERY = Edit("bus/consumer.py", "METADATA_MAX_AGE_MS: Final = 3_000", "METADATA_MAX_AGE_MS: Final = 60_000")


async def test_a_watermark_from_known_partitions_only(open_world: OpenWorld) -> None:
    plan = [cadence(ACME, "hello", "contact.created", 2)]
    async with open_world(edits=[KNOWN_PARTITIONS, LATE_DISCOVERY], cadences=plan) as around:
        await road.add_partition(around.bootstrap_servers, f"{around.prefix}message.received", 3)
        async with AIOKafkaProducer(bootstrap_servers=around.bootstrap_servers) as producer:
            replies = road.Writer(producer, around.prefix)
            who = {"companyId": ACME, "contactId": "nobody"}
            await replies.send("message.received", "first", who, partition=2)  # now it is known to be there
            await replies.flush()
            await create(around, ANA)
            await started(around, ANA)
            await replies.send("message.received", "reply", {**who, "contactId": ANA}, partition=2)
            await replies.flush()
        around.writer.acknowledged |= replies.acknowledged
        await around.until(lambda: bool(around.told(SEND)), WITHIN)
        assert Promise.NONE_AFTER_A_STOP in promises(judge(await around.history()))


# A watermark that is dated when the ends are known, not before they are asked for

HOLD_SAMPLE = Edit(
    "bus/watermark.py",
    "        ends = await self._ends.read()\n",
    "        ends = await self._ends.read()\n"
    "        from cadence_engine.stage import STAGE\n"
    "        if STAGE.was_told('go'):\n"
    "            STAGE.tell('next round')\n"
    "        elif STAGE.was_told('hold'):\n"
    "            STAGE.tell('held')\n"
    "            await STAGE.hear('go')\n",
)
HOLD_REPLY = Edit(
    "handlers/replies.py",
    "    locked, known = await contacts.lock_or_imagine(",
    "    from cadence_engine.stage import STAGE\n"
    "    await STAGE.hear('apply', unit.connection)\n"
    "    locked, known = await contacts.lock_or_imagine(",
)
DATED_AFTER_ENDS = Edit(
    "bus/watermark.py",
    "        if self._is_beyond_log(progress, ends):\n",
    "        now, _ = await watermark.read(self._connection, self._gate)\n"
    "        if self._is_beyond_log(progress, ends):\n",
)


@sound_and_not
async def test_a_watermark_dated_after_its_ends(open_world: OpenWorld, sound: bool) -> None:
    """The answer with the ends is on the way for long; meanwhile a reply arrives, and the step becomes due."""
    plan = [cadence(ACME, "hello", "contact.created", 3)]
    edits = [HOLD_SAMPLE, HOLD_REPLY, *([] if sound else [DATED_AFTER_ENDS])]
    async with open_world(edits=edits, cadences=plan) as around:
        stage = stage_of(around)
        await create(around, ANA)
        due = await started(around, ANA)
        stage.tell("hold")
        await stage.hear("held")
        await around.publish("message.received", ACME, [ANA])
        await until_database(around, "SELECT clock_timestamp() > $1", due)
        stage.tell("go")
        await stage.hear("next round")
        if sound:
            stage.tell("apply")
            assert await around.verdict() == []
            return
        await around.until(lambda: bool(around.told(SEND)), WITHIN)
        assert Promise.NONE_AFTER_A_STOP in promises(judge(await around.history()))


# A zone computed in server time

SERVER_TIME = Edit(
    "domain/schedule.py",
    "        local = Instant(start).to_tz(zone).to_plain().add(days=wait.days)\n",
    "        zone = 'UTC'\n        local = Instant(start).to_tz(zone).to_plain().add(days=wait.days)\n",
)
QUARTERS = (91, 182, 273)
"""Of these waits one crosses a change of the clocks, whatever the day."""


@sound_and_not
async def test_a_zone_computed_in_server_time(open_world: OpenWorld, sound: bool) -> None:
    plan = [cadence(ACME, f"after-{days}-days", "contact.created", 0, days=days) for days in QUARTERS]
    async with open_world(edits=[] if sound else [SERVER_TIME], cadences=plan) as around:
        for zone in ZONES:
            await around.publish("contact.created", ACME, [zone], phone=PHONE, timeZone=zone)
        await around.until(lambda: len(around.told(STARTED)) == len(ZONES) * len(plan), WITHIN)
        found = promises(judge(await around.history()))
        assert found == set() if sound else found == {Promise.DUE_TIMES}


def test_a_bug_that_no_longer_fits_the_source_says_so(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="The code has moved"):
        copy_engine(tmp_path / "engine", [Edit("domain/gate.py", "what is not there", "")])
