"""Operators pause, resume, skip, hasten and cancel, one enrollment or many, and everybody can read who and why."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest

from cadence_engine.domain.cadence import CadenceVersion, Wait
from cadence_engine.domain.enroll import EnrollRequest
from cadence_engine.domain.enrollment import LIVE, Status
from cadence_engine.domain.events import Cause
from cadence_engine.domain.operate import Cancel, Left, Operation, Pause, Resume, RunNow, Skip
from cadence_engine.domain.resume import ResumeMode
from cadence_engine.handlers.cadence_status import move_unsettled, pause_cadence, resume_cadence
from cadence_engine.handlers.enroll import enroll
from cadence_engine.handlers.operate import (
    Batch,
    Done,
    LeftAsIs,
    NotFound,
    Order,
    eligible,
    operate_on,
    operate_on_batch,
    resume_whose_time_has_come,
)
from cadence_engine.storage.database import run
from cadence_engine.storage.enrollments import choose, cursor
from cadence_engine.storage.enrollments.choose import Chosen
from tests.handlers.conftest import ACME, NAME, Stage, definition

PHONE = "+5511999990000"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TWO_STEPS = (Wait(exact=HOUR), Wait(days=1))
ONE_NOW = (Wait(), Wait(days=1))


async def begin(
    stage: Stage, *contacts: str, waits: tuple[Wait, ...] = TWO_STEPS, key: str = "trial"
) -> CadenceVersion:
    """A cadence with these contacts on their way."""
    version = await stage.publish(definition(key=key, trigger="api", waits=waits, tags=["done"]))
    for contact in contacts:
        await stage.hears("contact.created", contactId=contact, name="Ana", phone=PHONE)
        await stage.enroll(version, contact)
    return version


async def row(stage: Stage, contact: str = "ana") -> Mapping[str, Any]:
    found = await stage.pool.fetchrow("SELECT * FROM cadence_enrollments WHERE contact_id = $1", contact)
    assert found is not None
    return dict(found)


async def do(
    stage: Stage, operation: Operation, contact: str = "ana", *, company: str = ACME
) -> Done | LeftAsIs | NotFound:
    enrollment_id: UUID = (await row(stage, contact))["enrollment_id"]
    order = Order(operation, "olga", "because")
    return (await run(stage.pool, lambda unit: operate_on(unit, company, enrollment_id, order, stage.policy)))[0]


async def done(stage: Stage, operation: Operation, contact: str = "ana") -> None:
    assert isinstance(await do(stage, operation, contact), Done)


async def left(stage: Stage, operation: Operation, contact: str = "ana") -> Left:
    outcome = await do(stage, operation, contact)
    assert isinstance(outcome, LeftAsIs)
    return outcome.why


async def do_all(stage: Stage, operation: Operation, chosen: Chosen, rows: int = 2, **more: Any) -> list[Batch]:
    order = Order(operation, "olga", "because", **more)
    batches: list[Batch] = []
    while not batches or batches[-1].after is not None:
        last = batches[-1] if batches else None
        batch, _ = await run(
            stage.pool,
            lambda unit, last=last: operate_on_batch(  # type: ignore[misc]
                unit,
                chosen,
                order,
                stage.policy,
                rows=rows,
                after=last and last.after,
                free_from=last and last.free_from,
            ),
        )
        batches.append(batch)
    return batches


async def hours_go_by(stage: Stage, hours: int) -> None:
    """Everything was so much earlier."""
    await stage.pool.execute(
        """
        UPDATE cadence_enrollments SET next_run_at = next_run_at - $1::interval,
            held_due_at = held_due_at - $1::interval, resume_at = resume_at - $1::interval
        """,
        timedelta(hours=hours),
    )


async def cadence_is(stage: Stage, change: Any, key: str = "trial") -> None:
    await run(stage.pool, lambda unit: change(unit, ACME, key, actor="otto", reason=None))
    moved = (await run(stage.pool, lambda unit: move_unsettled(unit, 100)))[0]
    while moved is not None and not moved.settled:
        moved = (await run(stage.pool, lambda unit: move_unsettled(unit, 100)))[0]


# One enrollment


async def test_a_paused_enrollment_waits_for_its_operator_and_keeps_the_rest_of_its_wait(stage: Stage) -> None:
    await begin(stage, "ana", "bia")
    await done(stage, Pause())
    await hours_go_by(stage, 5)
    assert (await stage.run_due()).sent == 1
    assert await stage.statuses("ana") == ["paused"]
    await done(stage, Resume())
    assert timedelta(minutes=59) < (await row(stage))["next_run_at"] - await stage.now() <= HOUR
    told = await stage.log("cadence.enrollment.paused", "cadence.enrollment.resumed")
    assert [(each["reason"], each["actor"], each["cause"]) for each in told] == [
        ("because", "olga", {"actor": "olga"})
    ] * 2


async def test_an_enrollment_of_another_company_is_not_there(stage: Stage) -> None:
    await begin(stage, "ana")
    for operation in (Pause(), Resume(), Skip("step-1"), RunNow(), Cancel()):
        assert await do(stage, operation, company="zeta") == NotFound()
    assert (await row(stage))["revision"] == 1


async def test_what_is_done_already_is_left_and_not_told_again(stage: Stage) -> None:
    await begin(stage, "ana")
    for operation in (Pause(), Resume(), RunNow(), Skip("step-1"), Cancel()):
        await done(stage, operation)
        events = len(await stage.log())
        expected = Left.ANOTHER_STEP if isinstance(operation, Skip) else Left.ALREADY
        assert await left(stage, operation) is expected
        assert len(await stage.log()) == events


async def test_the_pause_of_an_operator_survives_the_resumption_of_the_cadence(stage: Stage) -> None:
    await begin(stage, "ana", "bia")
    await done(stage, Pause())
    await cadence_is(stage, pause_cadence)
    await cadence_is(stage, resume_cadence)
    assert (await stage.statuses("ana"), await stage.statuses("bia")) == (["paused"], ["active"])
    await done(stage, Resume())
    assert await stage.statuses("ana") == ["active"]


async def test_the_pause_of_the_cadence_survives_the_resumption_by_an_operator(stage: Stage) -> None:
    await begin(stage, "ana", "bia")
    await done(stage, Pause())
    await cadence_is(stage, pause_cadence)
    await done(stage, Resume())
    assert (await row(stage))["paused_by"] == "cadence"
    assert await left(stage, Resume()) is Left.HELD_BY_CADENCE
    await done(stage, Pause(), "bia")
    await cadence_is(stage, resume_cadence)
    assert (await stage.statuses("ana"), await stage.statuses("bia")) == (["active"], ["paused"])


async def test_a_parked_enrollment_that_is_paused_does_not_go_on_when_the_missing_thing_arrives(stage: Stage) -> None:
    await stage.publish(definition(variables=NAME, waits=[Wait()]))
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    await stage.run_due()
    await done(stage, Pause())
    await stage.hears("contact.updated", contactId="ana", name="Ana")
    assert (await stage.run_due()).sent == 0
    await done(stage, Resume())
    assert (await stage.run_due()).sent == 1


async def test_a_pause_ends_at_its_time_by_itself(stage: Stage) -> None:
    await begin(stage, "ana", "bia")
    until = await stage.now() + 2 * HOUR
    for contact in ("ana", "bia"):
        await done(stage, Pause(until), contact)
    assert (await run(stage.pool, lambda unit: resume_whose_time_has_come(unit, stage.policy, 10)))[0].rows == 0
    await hours_go_by(stage, 3)
    went_on, wake_at = await run(stage.pool, lambda unit: resume_whose_time_has_come(unit, stage.policy, 1))
    assert (went_on.rows, len(wake_at)) == (1, 1)
    assert (await run(stage.pool, lambda unit: resume_whose_time_has_come(unit, stage.policy, 10)))[0].rows == 1
    assert await stage.statuses("ana") == await stage.statuses("bia") == ["active"]
    (told, _) = await stage.log("cadence.enrollment.resumed")
    assert told["cause"] == {"actor": "schedule"}


async def test_a_pause_that_ends_while_its_cadence_is_paused_is_then_the_cadences(stage: Stage) -> None:
    await begin(stage, "ana")
    await done(stage, Pause(await stage.now() + HOUR))
    await cadence_is(stage, pause_cadence)
    await hours_go_by(stage, 2)
    for expected in (1, 0):
        went_on, _ = await run(stage.pool, lambda unit: resume_whose_time_has_come(unit, stage.policy, 10))
        assert went_on.rows == expected
    assert ((await row(stage))["status"], (await row(stage))["paused_by"]) == ("paused", "cadence")


async def test_missed_steps_are_skipped_and_told(stage: Stage) -> None:
    await begin(stage, "ana")
    await done(stage, Pause())
    await hours_go_by(stage, 2)
    await done(stage, Resume(ResumeMode.SKIP_MISSED))
    assert (await row(stage))["step_index"] == 1
    assert (await stage.run_due()).sent == 0
    (skipped,) = await stage.log("cadence.step.skipped")
    assert (skipped["stepKey"], skipped["reason"], skipped["note"]) == ("step-1", "missed", "because")
    await hours_go_by(stage, 23)
    assert (await stage.run_due()).sent == 1


async def test_a_skipped_step_is_never_sent_and_the_last_one_completes(stage: Stage) -> None:
    await begin(stage, "ana", waits=ONE_NOW)
    await done(stage, Skip("step-1"))
    assert (await stage.run_due()).sent == 0
    await done(stage, Skip("step-2"))
    assert await stage.statuses() == ["completed"]
    told = await stage.log()
    assert [each["revision"] for each in told] == [1, 2, 3, 4]
    assert [each["tags"] for each in told if "tags" in each] == [["done"]]
    assert await stage.pool.fetchval("SELECT tag FROM contact_tags WHERE contact_id = 'ana'") == "done"


async def test_a_step_that_runs_now_runs_through_the_gate(stage: Stage) -> None:
    await begin(stage, "ana")
    await stage.pool.execute("UPDATE reply_gate SET watermark = clock_timestamp()")
    await done(stage, RunNow())
    assert (await stage.run_due(open_gate=False)).sent == 0
    assert (await stage.run_due()).sent == 1
    (hastened,) = await stage.log("cadence.step.hastened")
    assert (hastened["cause"], hastened["note"], hastened["stepKey"]) == ({"actor": "olga"}, "because", "step-1")
    assert [each["revision"] for each in await stage.log("cadence.enrollment.started", "cadence.step.executed")] == [
        1,
        2,
    ]


async def test_a_reply_stops_a_step_that_was_to_run_now(stage: Stage) -> None:
    await begin(stage, "ana")
    await done(stage, RunNow())
    await stage.hears("message.received", contactId="ana")
    assert (await stage.run_due()).sent == 0
    assert await stage.statuses() == ["cancelled"]


# Many


async def many(stage: Stage, count: int, version: CadenceVersion | None = None) -> list[str]:
    """So many contacts on their way, each due a minute after the one before, from an hour on."""
    version = version or await stage.publish(definition(key="trial", trigger="api", waits=TWO_STEPS))
    contacts = [f"{version.definition.key}-{n:03}" for n in range(count)]
    at = await stage.now()
    await stage.receive(*(stage.event("contact.created", at=at, contactId=each, phone=PHONE) for each in contacts))

    def request(contact: str) -> EnrollRequest:
        return EnrollRequest(ACME, version.cadence_id, contact, "api", at, Cause(actor="olga"), uuid4())

    await run(stage.pool, lambda unit: enroll(unit, [request(each) for each in contacts], stage.policy))
    await stage.pool.execute(
        """
        UPDATE cadence_enrollments
        SET next_run_at = $1::timestamptz + split_part(contact_id, '-', 2)::int * interval '1 minute'
        WHERE cadence_id = $2
        """,
        at + HOUR,
        version.cadence_id,
    )
    return contacts


async def test_an_order_reaches_each_of_the_chosen_once_in_bounded_batches(stage: Stage) -> None:
    await many(stage, 7)
    await many(stage, 3, await stage.publish(definition(key="other", trigger="api", waits=TWO_STEPS)))
    trial = Chosen(ACME, cadence_id=await stage.pool.fetchval("SELECT cadence_id FROM cadences WHERE key = 'trial'"))
    async with stage.pool.acquire() as connection:
        assert await choose.count(connection, eligible(trial, Pause())) == 7
    batches = await do_all(stage, Pause(), trial)
    assert sum(batch.done for batch in batches) == 7
    assert all(len(batch.outcomes) <= 2 for batch in batches)
    counts = await stage.pool.fetch("SELECT status, count(*) FROM cadence_enrollments GROUP BY status ORDER BY status")
    assert [tuple(each) for each in counts] == [("active", 3), ("paused", 7)]
    again = await do_all(stage, Pause(), trial)
    assert (sum(batch.done for batch in again), sum(batch.left[Left.ALREADY] for batch in again)) == (0, 7)


async def test_an_order_that_was_interrupted_is_given_again(stage: Stage) -> None:
    await many(stage, 5)
    first, _ = await run(
        stage.pool,
        lambda unit: operate_on_batch(unit, Chosen(ACME), Order(Skip("step-1"), "olga"), stage.policy, rows=2),
    )
    assert first.done == 2
    assert sum(batch.done for batch in await do_all(stage, Skip("step-1"), Chosen(ACME))) == 3
    assert {each["step_index"] for each in await stage.pool.fetch("SELECT step_index FROM cadence_enrollments")} == {1}


async def test_what_is_overdue_is_spread_over_all_batches(stage: Stage) -> None:
    await many(stage, 9)
    await do_all(stage, Pause(), Chosen(ACME))
    await hours_go_by(stage, 2)
    batches = await do_all(stage, Resume(ResumeMode.CATCH_UP), Chosen(ACME), apart=timedelta(seconds=3))
    assert sum(batch.done for batch in batches) == 9
    due = [each[0] for each in await stage.pool.fetch("SELECT next_run_at FROM cadence_enrollments ORDER BY 1")]
    assert all(b - a >= timedelta(seconds=3) for a, b in pairwise(due))
    assert due[-1] - due[0] < timedelta(seconds=30)


async def test_run_now_and_cancel_reach_those_that_are_due_in_a_time(stage: Stage) -> None:
    contacts = await many(stage, 6)
    start: datetime = await stage.pool.fetchval("SELECT min(next_run_at) FROM cadence_enrollments")
    window = Chosen(ACME, due_after=start + timedelta(minutes=2), due_before=start + timedelta(minutes=4))
    assert sum(batch.done for batch in await do_all(stage, RunNow(), window, rows=1)) == 2
    assert (await stage.run_due()).sent == 2
    assert sum(batch.done for batch in await do_all(stage, Cancel(), window)) == 0
    assert sum(batch.done for batch in await do_all(stage, Cancel(), Chosen(ACME, contact_id=contacts[0]))) == 1
    assert await stage.statuses(contacts[0]) == ["cancelled"]


# Lists


@pytest.fixture
async def listed(stage: Stage) -> Stage:
    """Twelve contacts: two each are paused, cancelled, parked and completed."""
    contacts = await many(stage, 12)
    operations: list[Operation] = [Pause(), Pause(), Cancel(), Cancel()]
    for contact, operation in zip(contacts, operations, strict=False):
        await done(stage, operation, contact)
    await stage.pool.execute(
        """
        UPDATE cadence_enrollments SET status = 'parked', park_reason = 'unreachable', park_detail = '-'
        WHERE contact_id = ANY($1)
        """,
        contacts[4:6],
    )
    await stage.pool.execute(
        """
        UPDATE cadence_enrollments SET status = 'completed', next_run_at = NULL, ended_at = now(), step_index = 2
        WHERE contact_id = ANY($1)
        """,
        contacts[6:8],
    )
    return stage


CHOICES = [
    (Chosen(ACME), 12),
    (Chosen(ACME).within(LIVE), 8),
    (Chosen(ACME).within({Status.ACTIVE}), 4),
    (Chosen(ACME).within({Status.PAUSED}), 2),
    (Chosen(ACME).within({Status.PARKED}), 2),
    (Chosen(ACME).within({Status.COMPLETED, Status.CANCELLED}), 4),
    (Chosen(ACME, contact_id="trial-002"), 1),
    (Chosen(ACME, contact_id="trial-009").within(LIVE), 1),
    (Chosen(ACME, contact_id="trial-009").within({Status.CANCELLED}), 0),
    (Chosen(ACME, step_key="step-1"), 10),
    (Chosen(ACME, step_key="step-2"), 0),
    (Chosen(ACME, cadence_id=UUID(int=7)), 0),
    (Chosen("zeta"), 0),
    (Chosen(ACME, statuses=frozenset()), 0),
    (Chosen(ACME, due_before=datetime.fromisoformat("2000-01-01T00:00:00Z")), 0),
    (Chosen(ACME, due_after=datetime.fromisoformat("2000-01-01T00:00:00Z")), 4),
    (Chosen(ACME, started_after=datetime.fromisoformat("2000-01-01T00:00:00Z")), 12),
    (Chosen(ACME, started_before=datetime.fromisoformat("2000-01-01T00:00:00Z")), 0),
]


@pytest.mark.parametrize("looked_at", [10_000, 3])
async def test_pages_show_each_of_the_chosen_once(
    listed: Stage, looked_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choose, "LOOKED_AT", looked_at)
    async with listed.pool.acquire() as connection:
        for chosen, expected in CHOICES:
            seen: list[UUID] = []
            page = await choose.page(connection, chosen, after=None, rows=2)
            seen += [each.enrollment_id for each in page.enrollments]
            while page.after is not None:
                after = cursor.read(chosen, cursor.write(chosen, page.after))
                assert after == page.after
                page = await choose.page(connection, chosen, after=after, rows=2)
                seen += [each.enrollment_id for each in page.enrollments]
            assert len(seen) == len(set(seen)) == expected, chosen
            assert await choose.count(connection, chosen) == expected
