"""Moving who is on the way to another version: counted first, then done, batch by batch and once."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from cadence_engine.domain import move as rule
from cadence_engine.domain.cadence import Definition, Step, Template, Wait
from cadence_engine.domain.events import Cause
from cadence_engine.domain.move import Fate
from cadence_engine.handlers.cadence_status import move_unsettled, pause_cadence, resume_cadence
from cadence_engine.handlers.move_enrollments import (
    Batch,
    Move,
    NoSuchVersion,
    NotFound,
    SameVersion,
    Tally,
    move_batch,
    prepare_move,
    preview_batch,
)
from cadence_engine.handlers.unpark import recheck_parked
from cadence_engine.storage.database import run
from cadence_engine.storage.enrollments import choose
from cadence_engine.storage.enrollments.relocate import save
from cadence_engine.storage.enrollments.save import StaleDecisionError
from tests.handlers.conftest import ACME, GREETING, NAME, Stage, definition

PHONE = "+5511999990000"
DAY = timedelta(days=1)
KEY = "onboarding"


async def test_who_is_moved_goes_on_in_the_new_version(stage: Stage) -> None:
    await stage.publish(_steps("a", "b", waits=Wait()))
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    await stage.run_due()
    await stage.publish(_steps("a", "x", "b", "c", waits=Wait()))
    assert (await _move(stage)).waiting_at == {1: 1}
    for _ in range(3):
        await stage.run_due()
    assert await stage.statuses() == ["completed"]
    executed = await stage.log("cadence.step.executed")
    assert [(e["stepKey"], e["version"], e["revision"]) for e in executed] == [("a", 1, 2), ("b", 2, 3), ("c", 2, 4)]


async def test_the_count_is_what_then_happens_and_changes_nothing(stage: Stage) -> None:
    await _crowd(stage, 7)
    before = await _rows(stage)
    counted = await _preview(stage)
    assert counted == Tally(Counter({0: 4, 1: 3}), waits_anew=7, due_at_once=0)
    assert await _rows(stage) == before
    assert await stage.log("cadence.enrollment.moved") == []
    assert await _move(stage) == counted
    rows = await _rows(stage)
    assert {(row["version"], row["step_index"]) for row in rows} == {(2, 1), (2, 2)}
    waits = {(new["next_run_at"] - old["next_run_at"]) for old, new in zip(before, rows, strict=True)}
    assert waits == {2 * DAY}
    told = await stage.log("cadence.enrollment.moved")
    assert {(e["cause"]["actor"], e["note"], e["fromVersion"], e["version"]) for e in told} == {
        ("olga", "better", 1, 2)
    }
    assert len(told) == 7


async def test_again_it_finds_nobody_and_interrupted_it_goes_on(stage: Stage) -> None:
    await _crowd(stage, 5)
    move = await _prepared(stage)
    await run(stage.pool, lambda unit: move_batch(unit, move, stage.policy, rows=2))
    assert sum((await _move(stage)).waiting_at.values()) == 3
    assert await _move(stage) == Tally()
    assert len(await stage.log("cadence.enrollment.moved")) == 5


async def test_those_who_stand_nowhere_are_counted_and_left(stage: Stage) -> None:
    await _crowd(stage, 2)
    await stage.publish(_steps("x", "y"))
    move = await _prepared(stage, new=3)
    tally = await _all(stage, move, dry=False)
    assert tally.waiting_at == {0: 1, 1: 1}
    assert (move.place(0).fate, move.place(1).fate) == (Fate.NEXT, Fate.LEFT)
    assert sorted(row["version"] for row in await _rows(stage)) == [1, 3]


async def test_only_that_version_of_that_cadence_of_that_company_is_moved(stage: Stage) -> None:
    await stage.publish(_steps("a"), company="other")
    await stage.publish(replace(_steps("a"), key="another"))
    await stage.hears("contact.created", contactId="ana", phone=PHONE, companyId="other")
    await _crowd(stage, 1)
    await stage.publish(_steps("a"), company="other")
    await stage.hears("contact.created", contactId="late", phone=PHONE)
    await _move(stage)
    assert len(await stage.log("cadence.enrollment.moved")) == 1
    rows = await stage.pool.fetch(
        "SELECT e.company_id, k.key, contact_id, version FROM cadence_enrollments e JOIN cadences k USING (cadence_id)"
    )
    versions = {(row[0], row[1], row[2]): row[3] for row in rows}
    assert versions["other", KEY, "ana"] == versions[ACME, "another", "late"] == 1
    assert versions[ACME, KEY, "late"] == 2


async def test_a_paused_one_stays_paused_until_its_cadence_goes_on(stage: Stage) -> None:
    await _crowd(stage, 1)
    await run(stage.pool, lambda unit: pause_cadence(unit, ACME, KEY, actor="olga", reason=None))
    await _settle(stage)
    await _move(stage)
    assert await stage.statuses("c0") == ["paused"]
    await run(stage.pool, lambda unit: resume_cadence(unit, ACME, KEY, actor="olga", reason=None))
    await _settle(stage)
    (row,) = await _rows(stage)
    left = row["next_run_at"] - await stage.now()
    assert 3 * DAY - timedelta(minutes=1) < left <= 3 * DAY


async def test_what_lacked_a_variable_goes_on_where_the_new_version_asks_for_none(stage: Stage) -> None:
    await stage.publish(definition(variables=NAME, waits=[Wait()]))
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    await stage.run_due()
    assert await stage.statuses() == ["parked"]
    await stage.publish(definition(variables=GREETING, waits=[Wait()]))
    await _move(stage)
    assert (await run(stage.pool, recheck_parked))[0] == 1
    assert (await stage.run_due()).sent == 1


async def test_one_that_has_nothing_left_to_run_is_completed(stage: Stage) -> None:
    await _crowd(stage, 2)
    await stage.publish(replace(_steps("a"), completion_tags=("done",)))
    await _all(stage, await _prepared(stage, new=3), dry=False)
    await stage.run_due()
    assert (await stage.statuses("c0"), await stage.statuses("c1")) == (["active"], ["completed"])
    assert [e["tags"] for e in await stage.log("cadence.enrollment.completed")] == [["done"]]


async def test_what_is_not_as_it_was_decided_on_is_not_written(stage: Stage) -> None:
    await _crowd(stage, 1)
    move = await _prepared(stage)

    async def twice() -> None:
        async with stage.pool.acquire() as connection, connection.transaction():
            ((enrollment, _),) = await choose.lock(
                connection, move.chosen, [row["enrollment_id"] for row in await _rows(stage)]
            )
            moved = rule.move(
                enrollment, move.old, move.new, "UTC", now=await stage.now(), cause=Cause(actor="olga"), note=None
            )
            assert moved is not None
            await save(connection, [moved.decision])
            await save(connection, [moved.decision])

    with pytest.raises(StaleDecisionError):
        await twice()


async def test_what_cannot_be_moved_is_said(stage: Stage) -> None:
    await stage.publish(_steps("a"))
    await stage.publish(_steps("a", "b"))
    async with stage.pool.acquire() as connection:

        async def prepare(company: str, key: str, old: int, new: int | None) -> object:
            return await prepare_move(connection, company, key, old=old, new=new, actor="olga", reason=None)

        assert await prepare(ACME, "nothing", 1, 2) == NotFound()
        assert await prepare("other", KEY, 1, 2) == NotFound()
        assert await prepare(ACME, KEY, 2, None) == SameVersion(2)
        assert await prepare(ACME, KEY, 1, 3) == NoSuchVersion(3, range(1, 3))
        assert isinstance(await prepare(ACME, KEY, 2, 1), Move)


def _steps(*keys: str, waits: Wait = Wait(days=1)) -> Definition:  # noqa: B008  # immutable
    return replace(
        definition(), steps=tuple(Step(key, waits, Template(f"template_{key}", "marketing", {})) for key in keys)
    )


async def _crowd(stage: Stage, size: int) -> None:
    """So many contacts on the way in version 1, every other one behind its first step; version 2 is longer."""
    await stage.publish(_steps("a", "b"))
    for n in range(size):
        await stage.hears("contact.created", contactId=f"c{n}", phone=PHONE)
    await stage.pool.execute(
        """
        UPDATE cadence_enrollments SET step_index = 1, revision = 2
        WHERE right(contact_id, 1)::int % 2 = 1 AND company_id = 'acme'
            AND cadence_id = (SELECT cadence_id FROM cadences WHERE company_id = 'acme' AND key = 'onboarding')
        """
    )
    await stage.publish(_steps("x", "a", "b", waits=Wait(days=3)))


async def _prepared(stage: Stage, new: int | None = 2) -> Move:
    async with stage.pool.acquire() as connection:
        move = await prepare_move(connection, ACME, KEY, old=1, new=new, actor="olga", reason="better")
    assert isinstance(move, Move)
    return move


async def _preview(stage: Stage) -> Tally:
    return await _all(stage, await _prepared(stage), dry=True)


async def _move(stage: Stage) -> Tally:
    return await _all(stage, await _prepared(stage), dry=False)


async def _all(stage: Stage, move: Move, *, dry: bool) -> Tally:
    work = preview_batch if dry else move_batch
    tally, batch = Tally(), Batch(Tally(), None)
    while True:
        after = batch.after
        batch, _ = await run(stage.pool, lambda unit, a=after: work(unit, move, stage.policy, rows=2, after=a))  # type: ignore[misc]
        tally += batch.tally
        if batch.after is None:
            return tally


async def _rows(stage: Stage) -> list[asyncpg.Record]:
    return await stage.pool.fetch(
        "SELECT * FROM cadence_enrollments WHERE company_id = 'acme' ORDER BY contact_id, started_at"
    )


async def _settle(stage: Stage) -> None:
    moved = (await run(stage.pool, lambda unit: move_unsettled(unit, 10)))[0]
    while moved is not None and not moved.settled:
        moved = (await run(stage.pool, lambda unit: move_unsettled(unit, 10)))[0]
