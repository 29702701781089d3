"""The funnel of a cadence, exact at any moment, whatever was counted by then and by whom."""

import asyncio
from datetime import timedelta

from cadence_engine.domain.cadence import Wait
from cadence_engine.domain.funnel import Funnel, StepFunnel
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.count_log import count_log
from cadence_engine.handlers.funnel import funnels
from cadence_engine.handlers.move_enrollments import Move, move_batch, prepare_move
from cadence_engine.storage.database import run
from tests.handlers.conftest import ACME, NAME, Stage, definition

PHONE = "+5511999990000"
CONTACTS = [f"c{n}" for n in range(10)]


async def told(stage: Stage, key: str = "onboarding") -> list[Funnel]:
    async with stage.pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        found = await funnels(connection, ACME, key)
    assert found is not None
    return found


async def a_story(stage: Stage) -> None:
    """Ten start; one is unknown by name; two reply before the first step, three after it; the rest go to the end."""
    await stage.publish(definition(variables=NAME, waits=[Wait(), Wait()]))
    at = await stage.now()
    created = [
        stage.event("contact.created", at=at, contactId=each, phone=PHONE, name=None if each == "c0" else "Ana")
        for each in CONTACTS
    ]
    await stage.receive(*created)
    for early in ("c1", "c2"):
        await stage.hears("message.received", contactId=early)
    await stage.run_due()
    for late in ("c3", "c4", "c5"):
        await stage.hears("message.received", contactId=late)
    await stage.run_due()


WHOLE = Funnel(
    version=1,
    started=10,
    completed=4,
    cancelled={"replied": 5},
    replied_before=2,
    steps=[
        StepFunnel("step-1", reached=10, sent=7, skipped=0, parked=1, replied=3),
        StepFunnel("step-2", reached=7, sent=4, skipped=0, parked=0, replied=0),
    ],
)


async def test_it_is_the_same_before_and_after_everything_is_counted(stage: Stage) -> None:
    await a_story(stage)
    assert await told(stage) == [WHOLE]

    await stage.pool.execute("UPDATE event_batches SET published_at = now() WHERE batch_id % 2 = 0")
    counted = await run(stage.pool, lambda unit: count_log(unit, Policy(relay_easy_lag=timedelta(hours=1)), 100))
    assert counted[0] > 0
    assert await told(stage) == [WHOLE]

    await stage.pool.execute("UPDATE event_batches SET published_at = coalesce(published_at, now())")
    while (await run(stage.pool, lambda unit: count_log(unit, stage.policy, 1)))[0]:
        assert await told(stage) == [WHOLE]
    assert not await stage.pool.fetchval("SELECT count(*) FROM event_batches WHERE NOT counted")
    assert await told(stage) == [WHOLE]


async def test_workers_beside_each_other_count_each_batch_once(stage: Stage) -> None:
    await a_story(stage)
    await stage.pool.execute("UPDATE event_batches SET published_at = now()")
    batches = await stage.pool.fetchval("SELECT count(*) FROM event_batches")

    async def worker() -> int:
        counted = 0
        while some := (await run(stage.pool, lambda unit: count_log(unit, stage.policy, 2)))[0]:
            counted += some
        return counted

    assert sum(await asyncio.gather(*(worker() for _ in range(4)))) == batches
    assert await told(stage) == [WHOLE]


async def test_what_is_not_published_is_not_counted_yet_as_a_deletion_may_change_it(stage: Stage) -> None:
    await stage.publish(definition(waits=[Wait(), Wait(days=1)]))
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    await stage.run_due()
    assert (await run(stage.pool, lambda unit: count_log(unit, stage.policy, 100)))[0] == 0
    (before,) = await told(stage)
    assert (before.steps[0].sent, before.steps[0].skipped) == (1, 0)

    await stage.hears("contact.deleted", contactId="ana")

    (after,) = await told(stage)
    assert (after.steps[0].sent, after.steps[0].skipped) == (0, 1)
    assert after.cancelled == {"contact_deleted": 1}


async def test_nothing_is_counted_beside_a_backlog(stage: Stage) -> None:
    await a_story(stage)
    await stage.pool.execute("UPDATE event_batches SET published_at = now() WHERE batch_id > 1")
    await stage.pool.execute("UPDATE event_batches SET logged_at = now() - interval '1 minute' WHERE batch_id = 1")
    assert (await run(stage.pool, lambda unit: count_log(unit, stage.policy, 100)))[0] == 0


async def test_each_version_and_company_has_its_own(stage: Stage) -> None:
    await stage.publish(definition(waits=[Wait(days=1)]))
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    await stage.publish(definition(waits=[Wait(days=1), Wait(days=1)]))
    for contact in ("bob", "cleo"):
        await stage.hears("contact.created", contactId=contact, phone=PHONE)
    await stage.publish(definition(waits=[Wait(days=1)]), company="other")
    await stage.hears("contact.created", companyId="other", contactId="ana", phone=PHONE)

    assert [(each.version, each.started, len(each.steps)) for each in await told(stage)] == [(2, 2, 2), (1, 1, 1)]
    async with stage.pool.acquire() as connection:
        assert await funnels(connection, ACME, "nothing") is None
        assert await funnels(connection, ACME, "onboarding", 7) == []


async def test_a_reply_to_the_last_step_counts_once_and_ends_nothing(stage: Stage) -> None:
    await a_story(stage)
    for contact in ("c6", "c6", "c7"):
        await stage.hears("message.received", contactId=contact, messageId=f"m-of-{contact}")
    await stage.hears("message.received", contactId="c8", direction="outbound")

    (after,) = await told(stage)

    assert [step.replied for step in after.steps] == [3, 2]
    assert (after.replied, after.completed, after.cancelled) == (7, 4, {"replied": 5})
    assert after.reply_rate == 0.7
    answers = await stage.log("cadence.enrollment.answered")
    assert [(each["contactId"], each["messageId"]) for each in answers] == [("c6", "m-of-c6"), ("c7", "m-of-c7")]


async def test_two_replies_of_one_page_are_one_answer(stage: Stage) -> None:
    await a_story(stage)
    at = await stage.now()
    await stage.receive(*(stage.event("message.received", at=at, contactId="c6") for _ in range(3)))
    assert (await told(stage))[0].steps[-1].replied == 1


async def test_who_was_moved_counts_where_they_went(stage: Stage) -> None:
    await stage.publish(definition(waits=[Wait(), Wait(days=1)]))
    at = await stage.now()
    await stage.receive(*(stage.event("contact.created", at=at, contactId=each, phone=PHONE) for each in CONTACTS))
    await stage.run_due()
    await stage.publish(definition(waits=[Wait(), Wait(days=1), Wait(days=1)]))
    async with stage.pool.acquire() as connection:
        move = await prepare_move(connection, ACME, "onboarding", old=1, new=2, actor="olga", reason=None)
    assert isinstance(move, Move)
    await run(stage.pool, lambda unit: move_batch(unit, move, stage.policy, rows=4))

    new, old = await told(stage)

    assert (old.started, old.moved_out, old.live) == (10, 4, 6)
    assert (new.started, new.moved_in, new.live) == (0, 4, 4)
    assert [step.reached for step in new.steps] == [0, 4, 0]
    await stage.pool.execute("UPDATE event_batches SET published_at = now()")
    await run(stage.pool, lambda unit: count_log(unit, stage.policy, 100))
    assert await told(stage) == [new, old]
