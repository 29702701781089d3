"""Enrolling many: an answer for each row, the same again under the same key, whatever happened in between."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from cadence_contracts.enrolling import EnrollRow
from cadence_engine.handlers.enroll_asked import UnknownCadence
from cadence_engine.handlers.enroll_many import (
    EnrollMany,
    RowOutcome,
    RowResult,
    enroll_page,
)
from cadence_engine.handlers.enroll_rows import AnyRow, Row, Unreadable
from cadence_engine.handlers.idempotency import KeyUsedForAnother
from cadence_engine.storage import idempotency
from cadence_engine.storage.database import UnitOfWork, run, unit_of_work
from tests.handlers.conftest import ACME, Stage, definition

OFFER = EnrollMany(ACME, "offer", "monday", "olga")


def rows(*contact_ids: str, first: int = 1, **more: Any) -> list[AnyRow]:
    return [Row(n, EnrollRow(contact_id=each, **more)) for n, each in enumerate(contact_ids, start=first)]


async def answer(stage: Stage, page: list[AnyRow], request: EnrollMany = OFFER) -> list[RowResult]:
    answered = (await run(stage.pool, lambda unit: enroll_page(unit, request, page, stage.policy)))[0]
    assert isinstance(answered, list), answered
    return answered


async def an_offer_for(stage: Stage, *contact_ids: str) -> None:
    await stage.publish(definition(key="offer", trigger="api"))
    for each in contact_ids:
        await stage.hears("contact.updated", contactId=each, phone="+5511999990000")


async def enrollments(stage: Stage) -> int:
    return int(await stage.pool.fetchval("SELECT count(*) FROM cadence_enrollments"))


async def test_each_row_is_answered_by_itself_in_order(stage: Stage) -> None:
    await an_offer_for(stage, "ana", "bia", "clara")
    await stage.hears("contact.preferences.changed", contactId="clara", marketing="stop")
    page = rows("ana", "nobody", "bia", "ana", "clara")
    page[2] = Row(3, EnrollRow(contact_id="bia", lead_id="unknown"))
    answered = await answer(stage, [*page, Unreadable(6, "row.contactId is missing, and required")])
    assert [(each.row, each.contact_id, each.outcome, each.reason) for each in answered] == [
        (1, "ana", RowOutcome.CREATED, None),
        (2, "nobody", RowOutcome.REFUSED, "contact_not_found"),
        (3, "bia", RowOutcome.REFUSED, "lead_not_found"),
        (4, "ana", RowOutcome.ALREADY_ACTIVE, None),
        (5, "clara", RowOutcome.REFUSED, "opted_out"),
        (6, None, RowOutcome.INVALID, "unreadable"),
    ]
    assert answered[0].enrollment_id == answered[3].enrollment_id is not None
    assert answered[4].detail == "the contact does not want marketing"
    assert await stage.statuses("ana") == ["active"]
    told = await stage.log("cadence.enrollment.started", "cadence.enrollment.refused")
    assert Counter((each["type"], each["cause"]["actor"]) for each in told) == {
        ("cadence.enrollment.started", "olga"): 1,
        ("cadence.enrollment.refused", "olga"): 3,
    }


async def test_the_same_key_and_row_again_answers_the_same(stage: Stage) -> None:
    await an_offer_for(stage, "ana", "bia")
    first = await answer(stage, rows("ana", "nobody", "ana"))
    await stage.hears("message.received", contactId="ana")
    await stage.hears("contact.updated", contactId="nobody")
    assert await answer(stage, rows("ana", "nobody", "ana")) == first
    assert await stage.statuses("ana") == ["cancelled"]
    # Half of a page may have been answered before: the rest is new.
    later = await answer(stage, [*rows("ana", "nobody", "ana"), *rows("bia", first=4)])
    assert later[:3] == first
    assert later[3].outcome is RowOutcome.CREATED
    # Another key is another request.
    again = await answer(stage, rows("ana"), EnrollMany(ACME, "offer", "tuesday", "olga"))
    assert again[0].outcome is RowOutcome.CREATED


async def test_context_reaches_the_template_and_tells_rows_apart(stage: Stage) -> None:
    await an_offer_for(stage, "ana")
    (created,) = await answer(stage, rows("ana", context={"product": "trial", "seats": 3}))
    stored = await stage.pool.fetchval("SELECT context FROM cadence_enrollments")
    assert stored == {"product": "trial", "seats": 3}
    (same,) = await answer(stage, rows("ana", context={"seats": 3, "product": "trial"}))
    assert same == created
    (other,) = await answer(stage, rows("ana", context={"product": "pro"}))
    assert (other.outcome, other.reason) == (RowOutcome.INVALID, "idempotency_key_reused")
    assert await enrollments(stage) == 1


async def test_a_row_that_was_unreadable_may_be_mended_under_the_same_key(stage: Stage) -> None:
    await an_offer_for(stage, "ana")
    assert (await answer(stage, [Unreadable(1, "no")]))[0].outcome is RowOutcome.INVALID
    assert (await answer(stage, rows("ana")))[0].outcome is RowOutcome.CREATED


async def test_a_crash_before_the_commit_leaves_nothing_and_one_behind_it_everything(stage: Stage) -> None:
    await an_offer_for(stage, "ana", "bia")

    async def crash(unit: UnitOfWork) -> None:
        await enroll_page(unit, OFFER, rows("ana", "bia"), stage.policy)
        await unit.connection.execute("SELECT 1 / 0")

    with pytest.raises(asyncpg.DivisionByZeroError):
        await run(stage.pool, crash)
    assert await enrollments(stage) == 0
    async with unit_of_work(stage.pool) as unit:
        lost = await enroll_page(unit, OFFER, rows("ana", "bia"), stage.policy)
    assert await answer(stage, rows("ana", "bia")) == lost
    assert await enrollments(stage) == 2


async def test_the_same_page_sent_many_times_at_once_is_applied_once(stage: Stage) -> None:
    contacts = [f"c{n}" for n in range(50)]
    await an_offer_for(stage, *contacts)
    answers = await asyncio.gather(*(answer(stage, rows(*contacts)) for _ in range(6)))
    assert all(each == answers[0] for each in answers)
    assert {each.outcome for each in answers[0]} == {RowOutcome.CREATED}
    assert await enrollments(stage) == 50


async def test_a_key_belongs_to_its_company_and_its_cadence(stage: Stage) -> None:
    await an_offer_for(stage, "ana")
    await stage.publish(definition(key="other", trigger="api"))
    await stage.publish(definition(key="offer", trigger="api"), "globex")
    await stage.hears("contact.updated", companyId="globex", contactId="ana")
    await answer(stage, rows("ana"))

    async def of(company: str, cadence: str) -> object:
        request = EnrollMany(company, cadence, "monday", "olga")
        return (await run(stage.pool, lambda unit: enroll_page(unit, request, rows("ana"), stage.policy)))[0]

    assert isinstance(await of(ACME, "other"), KeyUsedForAnother)
    unknown = await of(ACME, "ofer")
    assert isinstance(unknown, UnknownCadence)
    assert sorted(unknown.known) == ["offer", "other"]
    theirs = await of("globex", "offer")
    assert isinstance(theirs, list)
    assert theirs[0].outcome is RowOutcome.CREATED


async def test_answers_are_forgotten_some_days_after_their_last_use(stage: Stage) -> None:
    await an_offer_for(stage, "ana", "bia", "clara")
    await answer(stage, rows("ana", "bia", "clara"))
    await answer(stage, rows("ana"), EnrollMany(ACME, "offer", "tuesday", "olga"))
    await stage.pool.execute(
        "UPDATE idempotency_keys SET used_at = now() - interval '8 days' WHERE idempotency_key = 'monday'"
    )

    async def forget() -> int:
        return (await run(stage.pool, lambda unit: idempotency.forget(unit.connection, timedelta(days=7), 2)))[0]

    assert [await forget(), await forget(), await forget()] == [2, 2, 0]
    left = await stage.pool.fetch("SELECT idempotency_key, row_number FROM enroll_many_answers")
    assert [tuple(row) for row in left] == [("tuesday", 1)]
    assert await stage.pool.fetchval("SELECT count(*) FROM idempotency_keys") == 1
