"""A dead letter acts as its record would have, once, whoever replays it and however often."""

import asyncio
import base64
import json
from datetime import timedelta

import pytest

from cadence_engine.bus.reread import reader
from cadence_engine.domain.cadence import Wait
from cadence_engine.handlers.replay import Settled, replay
from cadence_engine.storage import tenant
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.letter_filter import LetterFilter, LetterState
from cadence_engine.storage.relay import LetterId
from cadence_engine.storage.reports import dead_letters as reports
from tests.handlers.conftest import ACME, Stage, definition
from tests.handlers.letters import SETTINGS, a_record, bury, dropped, found, replayed

LATER = [Wait(days=1)]
SECOND = timedelta(seconds=1)
REPLY = "message.received"
CREATED = "contact.created"
DELETED = "contact.deleted"
CART = "cart.abandoned"


async def test_a_reply_cancels_as_it_would_have(stage: Stage) -> None:
    await stage.publish(definition(waits=LATER))
    await stage.hears(CREATED, contactId="ana")
    now = await stage.now()
    await bury(stage, found(REPLY, a_record(REPLY, id_="reply", contactId="ana", messageId="m1"), now))
    assert (await replayed(stage, REPLY)).applied == 1
    assert await stage.statuses() == ["cancelled"]
    (told,) = await stage.log("cadence.enrollment.cancelled")
    assert (told["reason"], told["messageId"], told["cause"]["id"]) == ("replied", "m1", "reply")


async def test_a_reply_from_before_the_passage_cancels_nothing(stage: Stage) -> None:
    await stage.publish(definition(waits=LATER))
    at = await stage.now()
    await stage.hears(CREATED, at=at, contactId="ana")
    await bury(stage, found(REPLY, a_record(REPLY, contactId="ana"), at - SECOND))
    assert (await replayed(stage, REPLY)).applied == 1
    assert await stage.statuses() == ["active"]


async def test_a_trigger_does_not_start_what_its_contact_answered_since(stage: Stage) -> None:
    await stage.publish(definition(waits=LATER))
    at = await stage.now() - SECOND
    await bury(stage, found(CREATED, a_record(CREATED, contactId="ana", name="Ana"), at))
    await stage.hears(REPLY, contactId="ana")
    assert (await replayed(stage, CREATED)).applied == 1
    assert await stage.statuses() == []
    assert await stage.pool.fetchval("SELECT name FROM contacts") == "Ana"


async def test_older_knowledge_never_replaces_newer(stage: Stage) -> None:
    at = await stage.now() - timedelta(hours=1)
    await bury(
        stage,
        found("contact.updated", a_record("contact.updated", contactId="ana", name="Old", phone="+5511900000001"), at),
        found(
            "contact.preferences.changed",
            a_record("contact.preferences.changed", contactId="ana", marketing="stop"),
            at,
        ),
    )
    await stage.hears("contact.updated", contactId="ana", name="New")
    await stage.hears("contact.preferences.changed", contactId="ana", marketing="resume")
    await replayed(stage, "contact.updated")
    await replayed(stage, "contact.preferences.changed")
    row = await stage.pool.fetchrow("SELECT name, phone, opted_out FROM contacts")
    assert row is not None
    assert tuple(row) == ("New", "+5511900000001", False)


async def test_a_deletion_forgets_what_is_older_than_itself_alone(stage: Stage) -> None:
    await stage.publish(definition(waits=LATER))
    await stage.hears(CREATED, contactId="ana", name="Ana")
    deleted_at = await stage.now()
    await stage.hears(CREATED, contactId="bia", name="Bia", at=deleted_at + SECOND)
    for contact in ("ana", "bia"):
        await bury(stage, found(DELETED, a_record(DELETED, contactId=contact), deleted_at))
    assert (await replayed(stage, DELETED)).applied == 2
    assert (await stage.statuses("ana"), await stage.statuses("bia")) == (["cancelled"], ["active"])
    assert [row[0] for row in await stage.pool.fetch("SELECT name FROM contacts ORDER BY contact_id")] == [None, "Bia"]


async def test_an_id_that_was_applied_meanwhile_is_settled_without_effect(stage: Stage) -> None:
    await stage.publish(definition(waits=LATER))
    await bury(stage, found(CREATED, a_record(CREATED, id_="e-1", contactId="ana"), await stage.now()))
    await stage.hears(CREATED, contactId="ana", id_="e-1")
    await stage.hears(REPLY, contactId="ana")
    done = await replayed(stage, CREATED)
    assert (done.applied, done.seen) == (0, 1)
    assert await stage.statuses() == ["cancelled"]
    assert await _states(stage) == ["replayed"]


async def test_operators_who_replay_at_once_apply_each_letter_once(stage: Stage) -> None:
    await stage.publish(definition(key="cart", trigger=CART, waits=LATER))
    now = await stage.now()
    await bury(stage, *(found(CART, a_record(CART, contactId=f"c{n}"), now) for n in range(60)))
    everyone = await asyncio.gather(*(replayed(stage, CART, at_most=7) for _ in range(5)))
    assert sum(done.applied for done in everyone) == 60
    assert sum(done.seen for done in everyone) == 0
    assert await stage.pool.fetchval("SELECT count(*) FROM cadence_enrollments") == 60
    assert set(await _states(stage)) == {"replayed"}


async def test_a_replay_that_is_cut_off_goes_on_where_it_was(stage: Stage) -> None:
    await stage.publish(definition(key="cart", trigger=CART, waits=LATER))
    now = await stage.now()
    await bury(stage, *(found(CART, a_record(CART, contactId=f"c{n}"), now) for n in range(5)))
    batches = iter([None, RuntimeError("cut off")])

    def between() -> None:
        if (error := next(batches)) is not None:
            raise error

    with pytest.raises(RuntimeError):
        await replayed(stage, CART, at_most=2, between=between)
    assert sorted(await _states(stage)) == ["kept", "kept", "kept", "replayed", "replayed"]
    assert (await replayed(stage, CART, at_most=2)).applied == 3
    assert await stage.pool.fetchval("SELECT count(*) FROM cadence_enrollments") == 5
    assert (await replayed(stage, CART)).applied == 0


async def test_what_is_still_not_understood_stays_with_its_new_reason(stage: Stage) -> None:
    letter = found(REPLY, b"{", await stage.now(), company_id=ACME, reason="no_value", detail="as it was told before")
    fine = found(REPLY, a_record(REPLY, contactId="ana"), await stage.now())
    await bury(stage, letter, fine)
    done = await replayed(stage, REPLY)
    assert (done.applied, len(done.still_dead)) == (1, 1)
    (kept,) = await _lines(stage, LetterFilter(ACME))
    assert (kept.reason, kept.bytes) == ("not_json", 4)
    assert "as it was told before" not in kept.detail
    assert await _value(stage, kept.offset) == b"{"


async def test_what_the_inbox_has_forgotten_is_not_applied(stage: Stage) -> None:
    await stage.publish(definition(waits=LATER))
    long_ago = await stage.now() - stage.policy.inbox_memory - SECOND
    await bury(stage, found(CREATED, a_record(CREATED, contactId="ana"), long_ago))
    (letter,) = (await replayed(stage, CREATED)).still_dead
    assert letter.reason == "stale"
    assert await stage.statuses() == []


async def test_a_topic_that_is_no_longer_read_is_not_taken_for_a_trigger(stage: Stage) -> None:
    await stage.publish(definition(key="cart", trigger="seat.booked", waits=LATER))
    await bury(stage, found("seat.booked", a_record("seat.booked", contactId="ana"), await stage.now()))
    (letter,) = (await replayed(stage, "seat.booked")).still_dead
    assert (letter.reason, "CADENCE_TRIGGER_TOPICS" in letter.detail) == ("unknown_type", True)
    assert await stage.statuses() == []


async def test_what_is_not_published_yet_is_left_alone(stage: Stage) -> None:
    await bury(stage, found(REPLY, a_record(REPLY, contactId="ana"), await stage.now()), publish=False)
    assert (await replayed(stage, REPLY)).unpublished == 1
    assert (await dropped(stage, REPLY)).unpublished == 1
    assert await _states(stage) == ["kept"]
    await stage.pool.execute("UPDATE event_batches SET published_at = now()")
    assert (await replayed(stage, REPLY)).applied == 1


async def test_another_company_sees_replays_and_drops_nothing(stage: Stage) -> None:
    now = await stage.now()
    await bury(stage, found(REPLY, a_record(REPLY, contactId="ana"), now), found(REPLY, b"nobody's", now))
    theirs = LetterFilter("globex")
    assert await _lines(stage, theirs) == []
    assert (await replayed(stage, REPLY, theirs)).applied == 0
    assert (await dropped(stage, REPLY, theirs)).dropped == 0
    (mine,) = await _lines(stage, LetterFilter(ACME))
    async with stage.pool.acquire() as connection:
        place = LetterId(mine.topic, mine.partition, mine.offset)
        assert await reports.one(connection, "globex", place) is None
        assert await reports.one(connection, ACME, place) is not None
    assert len(await _lines(stage, LetterFilter(None))) == 2


async def test_a_connection_of_one_company_replays_what_is_its_own_whatever_it_asks_for(
    stage: Stage, database_url: str
) -> None:
    await stage.publish(definition(waits=LATER))
    await stage.hears(CREATED, contactId="ana")
    now = await stage.now()
    await bury(stage, found(REPLY, a_record(REPLY, contactId="ana"), now), found(REPLY, b"nobody's", now))
    policy, everyones = stage.policy, LetterFilter(None)
    pool = await tenant.connect(database_url, process="test", size=1)

    async def work(unit: UnitOfWork) -> Settled:
        read = reader(SETTINGS, policy)
        return await replay(unit, everyones, REPLY, actor="olga", reason=None, read=read, policy=policy)

    async with pool:
        theirs, _ = await tenant.run(pool, "globex", work)
        mine, _ = await tenant.run(pool, ACME, work)
    assert theirs == Settled()
    assert mine == Settled(applied=1)
    assert await stage.statuses() == ["cancelled"]


async def test_a_record_that_names_two_companies_acts_for_neither(stage: Stage) -> None:
    await stage.publish(definition(key="cart", trigger=CART, waits=LATER), company="globex")
    data = base64.b64encode(json.dumps({"companyId": "globex", "contactId": "ana"}).encode()).decode()
    event = {"specversion": "1.0", "id": "1", "source": "/x", "type": CART, "companyId": ACME, "data_base64": data}
    letter = found(CART, json.dumps(event).encode(), await stage.now(), company_id=ACME, contact_id=None)
    await bury(stage, letter)
    assert len((await replayed(stage, CART)).still_dead) == 1
    assert await stage.pool.fetchval("SELECT count(*) FROM cadence_enrollments") == 0


async def test_dropping_forgets_the_record_and_keeps_who_and_why(stage: Stage) -> None:
    await bury(stage, found(REPLY, a_record(REPLY, contactId="ana", phone="+5511999990000"), await stage.now()))
    assert (await dropped(stage, REPLY)).dropped == 1
    assert (await dropped(stage, REPLY)).dropped == 0
    (line,) = await _lines(stage, LetterFilter(ACME, state=LetterState.DROPPED))
    assert (line.settled_by, line.settled_reason, line.bytes) == ("olga", "a test of the CRM", 0)
    assert "99999" not in str([dict(row) for row in await stage.pool.fetch("TABLE dead_letters")])
    assert (await replayed(stage, REPLY)).applied == 0


async def test_lists_are_read_in_pages_newest_first(stage: Stage) -> None:
    now = await stage.now()
    for page in range(3):
        await bury(stage, *(found(REPLY, a_record(REPLY, contactId=f"c{page}{n}"), now) for n in range(4)))
    await bury(stage, found(CREATED, b"no event", now, company_id=ACME))
    seen: list[reports.LetterLine] = []
    after = None
    async with stage.pool.acquire() as connection:
        while not seen or after is not None:
            listed = await reports.listed(connection, LetterFilter(ACME, topic=REPLY), after=after, at_most=5)
            seen += listed.lines
            after = listed.next_cursor
        tallies = await reports.tally(connection, LetterFilter(ACME))
    assert len(seen) == len({line.place for line in seen}) == 12
    assert seen == sorted(seen, key=lambda line: line.place, reverse=True)
    assert [(each.topic, each.letters) for each in tallies] == [(CREATED, 1), (REPLY, 12)]


async def test_what_names_a_deleted_contact_goes_with_it_and_what_is_newer_stays(stage: Stage) -> None:
    deleted_at = await stage.now()
    older, newer, later, another = (
        found(REPLY, a_record(REPLY, contactId=contact, phone="+5511999990000"), at)
        for contact, at in (
            ("ana", deleted_at - SECOND),
            ("ana", deleted_at + 1000 * SECOND),
            ("ana", deleted_at - SECOND),
            ("bia", deleted_at - SECOND),
        )
    )
    await bury(stage, older, another)
    await stage.hears(DELETED, at=deleted_at, contactId="ana")
    await bury(stage, newer, later)
    states = {line.offset: line.state for line in await _lines(stage, LetterFilter(ACME, state=None))}
    dropped, kept = LetterState.DROPPED, LetterState.KEPT
    assert states == {older.offset: dropped, later.offset: dropped, newer.offset: kept, another.offset: kept}
    assert await _value(stage, older.offset) is None


async def _lines(stage: Stage, chosen: LetterFilter) -> list[reports.LetterLine]:
    async with stage.pool.acquire() as connection:
        return (await reports.listed(connection, chosen)).lines


async def _states(stage: Stage) -> list[str]:
    return [row[0] for row in await stage.pool.fetch("SELECT state FROM dead_letters ORDER BY record_offset")]


async def _value(stage: Stage, offset: int) -> bytes | None:
    value: bytes | None = await stage.pool.fetchval("SELECT value FROM dead_letters WHERE record_offset = $1", offset)
    return value
