"""A replay of many letters under an idempotency key: each batch is answered as it was, whatever happened in between."""

import asyncio
from dataclasses import replace

from cadence_engine.bus.reread import reader
from cadence_engine.handlers.idempotency import KeyUsedForAnother
from cadence_engine.handlers.replay import Settled, replay
from cadence_engine.handlers.settle_letters import Batch, Further, replay_once, settle_batch, settle_batch_once
from cadence_engine.storage.database import UnitOfWork, run
from cadence_engine.storage.letter_filter import LetterFilter
from cadence_engine.storage.settling_letters import Place
from tests.handlers.conftest import ACME, Stage
from tests.handlers.letters import SETTINGS, a_record, bury, found

CREATED = "contact.created"
REPLY = "message.received"
EVERY_ONE = LetterFilter(ACME)


async def batch(
    stage: Stage,
    further: Further | None,
    *,
    key: str | None = "monday",
    chosen: LetterFilter = EVERY_ONE,
    company: str = ACME,
) -> Batch | KeyUsedForAnother:
    """The next two letters of a topic; the gate's go first."""

    async def settle(unit: UnitOfWork, chosen: LetterFilter, topic: str, after: Place) -> Settled:
        read = reader(SETTINGS, stage.policy)
        return await replay(
            unit, chosen, topic, actor="olga", reason=None, read=read, policy=stage.policy, after=after, at_most=2
        )

    async def work(unit: UnitOfWork) -> Batch | KeyUsedForAnother:
        gate = [REPLY]
        if key is None:
            return await settle_batch(unit, chosen, settle, gate=gate, further=further)
        once = replay_once(company, key, chosen, None)
        return await settle_batch_once(unit, once, chosen, settle, gate=gate, further=further)

    return (await run(stage.pool, work))[0]


async def every_batch(stage: Stage, *, key: str | None = "monday") -> list[Batch]:
    batches: list[Batch] = []
    while not batches or batches[-1].further is not None:
        one = await batch(stage, batches[-1].further if batches else None, key=key)
        assert isinstance(one, Batch)
        batches.append(one)
    return batches


async def some_letters(stage: Stage) -> None:
    now = await stage.now()
    await bury(
        stage,
        *(found(CREATED, a_record(CREATED, contactId=f"c{n}"), now) for n in range(3)),
        found(REPLY, a_record(REPLY, contactId="c0"), now),
        found(REPLY, b"+5511999990000", now, company_id=ACME),
    )


async def test_every_batch_is_answered_again_as_it_was(stage: Stage) -> None:
    await some_letters(stage)
    first = await every_batch(stage)
    assert [each.settled.letters for each in first] == [2, 0, 2, 1], "the gate's topic is looked at first"
    (stays,) = first[0].settled.still_dead
    assert (stays.topic, stays.reason) == (REPLY, "not_json")

    # What is found dead since, or is new in another topic, is none of it.
    await some_letters(stage)
    assert await every_batch(stage) == first
    kept = await stage.pool.fetch("SELECT answer::text FROM replay_answers")
    assert len(kept) == 4
    assert "99999" not in str(kept)
    assert sum(each.settled.applied for each in await every_batch(stage, key="tuesday")) == 4


async def test_one_that_was_interrupted_goes_on(stage: Stage) -> None:
    await some_letters(stage)
    begun = await batch(stage, None)
    again = await every_batch(stage)
    assert again[0] == begun
    assert sum(each.settled.applied for each in again) == 4
    assert await stage.pool.fetchval("SELECT count(*) FROM dead_letters WHERE state = 'replayed'") == 4


async def test_two_at_once_get_one_answer(stage: Stage) -> None:
    await some_letters(stage)
    one, other = await asyncio.gather(batch(stage, None), batch(stage, None))
    assert isinstance(one, Batch)
    assert one == other
    assert one.settled.applied == 1


async def test_without_a_key_letters_are_looked_at_again(stage: Stage) -> None:
    await some_letters(stage)
    await every_batch(stage, key=None)
    again = await every_batch(stage, key=None)
    assert [each.settled.letters for each in again] == [1]
    assert await stage.pool.fetchval("SELECT count(*) FROM idempotency_keys") == 0


async def test_a_key_is_of_one_choice_and_of_one_company(stage: Stage) -> None:
    await some_letters(stage)
    await batch(stage, None)
    another = replace(EVERY_ONE, topic=CREATED)
    assert await batch(stage, None, chosen=another) == KeyUsedForAnother()
    theirs = await batch(stage, None, chosen=LetterFilter("globex"), company="globex")
    assert theirs == Batch(Settled(), None)
