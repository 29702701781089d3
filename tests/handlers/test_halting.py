"""A halt holds every step of a company, or of all, from the moment it says so; everything else goes on."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from cadence_engine.domain.cadence import Wait
from cadence_engine.domain.enroll import Enrolled
from cadence_engine.domain.gate import Held
from cadence_engine.handlers.due_steps import Ran, run_due_steps
from cadence_engine.handlers.halt import AlreadyHalted, Halted, NotHalted, Unhalted, UnknownCompany, claims_over
from cadence_engine.handlers.halt import halt as halting
from cadence_engine.handlers.halt import unhalt as unhalting
from cadence_engine.storage import halts
from cadence_engine.storage.database import run, unit_of_work
from tests.handlers.conftest import ACME, Stage, definition

PHONE = "+5511999990000"
GLOBEX = "globex"
EVERYONE = None


async def halt(stage: Stage, company: str | None) -> object:
    return (await run(stage.pool, lambda unit: halting(unit, company, actor="olga", reason="wrong template")))[0]


async def unhalt(stage: Stage, company: str | None) -> object:
    return (await run(stage.pool, lambda unit: unhalting(unit, company, actor="olga", reason="mended")))[0]


async def one_due(stage: Stage, company: str = ACME, *contact_ids: str, key: str = "onboarding") -> None:
    """The company's first contacts, each with a step that is due."""
    await stage.publish(definition(key=key, waits=[Wait()]), company)
    for contact_id in contact_ids or ("ana",):
        await stage.hears("contact.created", companyId=company, contactId=contact_id, phone=PHONE)


async def test_a_halted_company_waits_and_the_others_go_on(stage: Stage) -> None:
    await one_due(stage)
    await one_due(stage, GLOBEX)
    assert isinstance(await halt(stage, ACME), Halted)
    ran = await stage.run_due()
    assert (ran.sent, ran.held, ran.halted_companies) == (1, None, 1)
    assert await stage.statuses(company=GLOBEX) == ["completed"]
    assert await stage.statuses() == ["active"]
    assert isinstance(await unhalt(stage, ACME), Unhalted)
    assert (await stage.run_due()).sent == 1


async def test_all_companies_are_halted_at_once(stage: Stage) -> None:
    await one_due(stage)
    await one_due(stage, GLOBEX)
    await halt(stage, EVERYONE)
    assert await stage.run_due() == Ran(held=Held.HALTED)
    await unhalt(stage, EVERYONE)
    assert (await stage.run_due()).sent == 2


async def test_people_come_and_go_while_steps_are_held(stage: Stage) -> None:
    await one_due(stage, ACME, "ana", "bia")
    await halt(stage, ACME)
    await stage.hears("contact.created", contactId="clara", phone=PHONE)
    await stage.hears("message.received", contactId="bia")
    assert await stage.statuses("clara") == ["active"]
    assert await stage.statuses("bia") == ["cancelled"]
    assert (await stage.run_due()).sent == 0


async def test_a_backlog_of_many_companies_runs_to_its_end_beside_a_halt(stage: Stage) -> None:
    companies = [f"company-{n}" for n in range(5)]
    for company in companies:
        await one_due(stage, company, "ana", "bia", "clara")
    await halt(stage, companies[0])
    stage.policy = replace(stage.policy, claim_rows=4)
    sent = []
    while (ran := await stage.run_due()).full:
        sent.append(ran.sent)
    assert (sum(sent), ran.sent) == (12, 0)
    assert await stage.statuses(company=companies[0]) == ["active"]


async def test_what_became_due_meanwhile_runs_longest_due_first(stage: Stage) -> None:
    await one_due(stage, ACME, "ana", "bia", "clara")
    await stage.pool.execute(
        "UPDATE cadence_enrollments SET next_run_at = now() - interval '1 hour' WHERE contact_id = 'clara'"
    )
    await halt(stage, ACME)
    assert (await stage.run_due()).sent == 0
    await unhalt(stage, ACME)
    stage.policy = replace(stage.policy, claim_rows=1)
    assert (await stage.run_due()).sent == 1
    assert await stage.statuses("clara") == ["completed"]


async def test_again_is_fine_and_each_is_kept_with_who_and_why(stage: Stage) -> None:
    await one_due(stage)
    assert isinstance(await unhalt(stage, ACME), NotHalted)
    assert isinstance(await halt(stage, "nobody"), UnknownCompany)
    for _ in range(2):
        first, again = await halt(stage, ACME), await halt(stage, ACME)
        assert isinstance(first, Halted)
        assert again == AlreadyHalted(first.halt)
        assert isinstance(await unhalt(stage, EVERYONE), NotHalted)
        await unhalt(stage, ACME)
    kept = await halts.history(stage.pool, ACME, 10)  # type: ignore[arg-type]
    assert [(h.started_by, h.reason, h.ended_by, h.end_reason) for h in kept] == [
        ("olga", "wrong template", "olga", "mended")
    ] * 2


async def test_two_at_once_make_one(stage: Stage) -> None:
    await one_due(stage)
    told = await asyncio.gather(*(halt(stage, ACME) for _ in range(6)))
    assert sorted(type(each).__name__ for each in told) == ["AlreadyHalted"] * 5 + ["Halted"]


@pytest.mark.parametrize("whose", [ACME, EVERYONE])
async def test_a_halt_that_returned_has_no_claim_behind_it(stage: Stage, whose: str | None) -> None:
    """A worker has claimed before the halt: it is waited for. One that claims after it finds nothing."""
    await one_due(stage)
    await stage.pool.execute("UPDATE reply_gate SET watermark = clock_timestamp()")
    async with unit_of_work(stage.pool) as worker:
        assert (await run_due_steps(worker, stage.policy)).sent == 1
        await halt(stage, whose)
        over = asyncio.create_task(run(stage.pool, claims_over))
        await waiting_for_a_lock(stage)
        assert not over.done()
    await over
    assert await stage.statuses() == ["completed"]


async def waiting_for_a_lock(stage: Stage) -> None:
    """Returns when a session of this database waits for another's lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while not await stage.pool.fetchval(waiting):  # noqa: ASYNC110  # the server tells nobody
        await asyncio.sleep(0.01)


async def test_a_halted_company_is_enrolled_by_hand_too(stage: Stage) -> None:
    await one_due(stage)
    await halt(stage, ACME)
    version = await stage.publish(definition(key="offer", trigger="api", waits=[Wait(exact=timedelta(hours=1))]))
    assert isinstance(await stage.enroll(version, "ana"), Enrolled)
