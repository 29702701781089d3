"""A company is deleted: halted at once, its contacts forgotten one batch after the other, and what is older dropped."""

import secrets
from datetime import timedelta
from typing import Any

import orjson

from cadence_engine.domain.api_key import Scope
from cadence_engine.domain.cadence import Lookup, Source, Wait
from cadence_engine.handlers.api_keys import NewKey, create_key
from cadence_engine.handlers.erase_company import Batch, Begun, UnknownCompany, erase_company, erase_next
from cadence_engine.storage.database import run
from tests.handlers.conftest import ACME, Stage, definition

PHONE = "+5511999990000"
GLOBEX = "globex"
PEOPLE = ("ana", "bia", "clara")
GREETED = {"name": Lookup(Source.CONTACT, "name"), "product": Lookup(Source.CONTEXT, "product", "-")}
A_SECOND = timedelta(seconds=1)


async def enrolled(stage: Stage, company: str = ACME) -> None:
    """People of the company, each with a sent step and one to come, and a secret in every place that may hold one."""
    await stage.publish(
        definition(trigger="purchase.completed", waits=[Wait(), Wait(days=1)], variables=GREETED), company
    )
    await stage.hears("company.updated", companyId=company, name="Secret Ltd")
    for who in PEOPLE:
        more: dict[str, Any] = {"companyId": company, "contactId": who}
        await stage.hears("contact.created", name="Secret", phone=PHONE, tags=["secret"], **more)
        await stage.hears("purchase.completed", purchaseId=f"{who}-1", product="secret thing", **more)
    while (await stage.run_due()).sent:
        pass


async def erase_all(stage: Stage, rows: int = 2) -> list[Batch]:
    """What upkeep does when the minute is over."""
    await stage.pool.execute("UPDATE company_erasures SET asked_at = asked_at - interval '2 minutes'")
    batches = []
    while (batch := (await run(stage.pool, lambda unit: erase_next(unit, rows)))[0]) is not None:
        batches.append(batch)
    return batches


async def a_key(stage: Stage, company: str) -> str:
    """Make one that may read; answers its id."""
    drawn = NewKey(secrets.token_hex(6), secrets.token_bytes(32))
    made, _ = await run(
        stage.pool,
        lambda unit: create_key(
            unit, company, name="crm", scopes=[Scope.READ], lifetime=None, drawn=drawn, actor="operator"
        ),
    )
    return made.key_id


async def everything_of(stage: Stage, company: str) -> bytes:
    """Every row of the database that has to do with the company, as text."""
    tables = await stage.pool.fetch(
        """
        SELECT table_name FROM information_schema.columns
        JOIN information_schema.tables USING (table_schema, table_name)
        WHERE column_name = 'company_id' AND table_schema = 'public' AND table_type = 'BASE TABLE'
            AND table_name <> 'cadence_versions'
        """
    )
    rows = [
        await stage.pool.fetch(f"SELECT t::text FROM {name} t WHERE company_id = $1", company)  # noqa: S608
        for (name,) in tables
    ]
    return orjson.dumps([row[0] for found in rows for row in found])


async def test_nothing_of_its_people_is_left_and_another_company_is_untouched(stage: Stage) -> None:
    await enrolled(stage)
    await enrolled(stage, GLOBEX)
    await stage.pool.execute("UPDATE event_batches SET published_at = now()")
    before = await everything_of(stage, GLOBEX)
    assert b"ecret" in await everything_of(stage, ACME)
    await stage.hears("company.deleted", id_="gone")
    assert [(batch.contacts, batch.finished) for batch in await erase_all(stage)] == [(2, False), (1, False), (0, True)]
    left = await everything_of(stage, ACME)
    assert b"ecret" not in left
    assert PHONE.encode() not in left
    assert await everything_of(stage, GLOBEX) == before
    told = await stage.log("cadence.enrollment.cancelled")
    assert [(each["companyId"], each["reason"], each["cause"]) for each in told] == [
        (ACME, "company_deleted", {"source": "/crm", "id": "gone"})
    ] * len(PEOPLE)
    assert await erase_all(stage) == []


async def test_it_is_halted_at_once_and_the_others_go_on(stage: Stage) -> None:
    await enrolled(stage)
    await enrolled(stage, GLOBEX)
    await stage.hears("company.deleted")
    await stage.pool.execute("UPDATE cadence_enrollments SET next_run_at = now() - interval '1 hour'")
    sent = 0
    while (ran := await stage.run_due()).full:
        sent += ran.sent
    assert (sent, ran.halted_companies) == (len(PEOPLE), 1)
    assert await stage.statuses("ana", ACME) == ["active"]


async def test_what_is_older_and_arrives_later_is_dropped_and_what_is_newer_survives(stage: Stage) -> None:
    await enrolled(stage)
    at = await stage.now()
    await stage.hears("company.deleted", at=at)
    await stage.hears("contact.created", contactId="dora", name="Late", phone=PHONE, at=at)
    await stage.hears("message.received", contactId="ana", conversationId="late", at=at - A_SECOND)
    await stage.hears("company.updated", name="Late Ltd", at=at - A_SECOND)
    await stage.hears("contact.preferences.changed", contactId="eva", marketing="stop", at=at - A_SECOND)
    await stage.hears("contact.created", contactId="flora", name="New", phone=PHONE)
    await erase_all(stage)
    left = await stage.pool.fetch("SELECT contact_id, name, opted_out FROM contacts ORDER BY contact_id")
    assert [tuple(row) for row in left if row[0] not in PEOPLE] == [("eva", None, True), ("flora", "New", False)]
    assert await stage.pool.fetchval("SELECT name FROM companies") is None
    assert await stage.pool.fetchval("SELECT count(*) FROM conversations") == 0


async def test_the_erasure_waits_for_what_may_not_have_seen_it(stage: Stage) -> None:
    await enrolled(stage)
    await stage.hears("company.deleted")
    assert (await run(stage.pool, lambda unit: erase_next(unit, 10)))[0] is None
    assert await stage.statuses() == ["active"]


async def test_an_older_deletion_read_later_begins_nothing_and_a_newer_one_begins_anew(stage: Stage) -> None:
    await enrolled(stage)
    at = await stage.now()
    await stage.hears("company.deleted", at=at)
    await erase_all(stage)
    await stage.pool.execute("UPDATE halts SET ended_at = now(), ended_by = 'olga'")
    await stage.hears("contact.created", contactId="flora", name="New", phone=PHONE)
    await stage.hears("company.deleted", at=at - A_SECOND)
    assert await erase_all(stage) == []
    assert await stage.pool.fetchval("SELECT count(*) FROM halts WHERE ended_at IS NULL") == 0
    await stage.hears("company.deleted")
    assert [batch.contacts for batch in await erase_all(stage, rows=10)] == [4, 0]
    assert await stage.pool.fetchval("SELECT count(*) FROM halts WHERE ended_at IS NULL") == 1


async def test_an_operator_erases_a_company_in_their_own_words(stage: Stage) -> None:
    await enrolled(stage)
    for _ in range(2):
        begun, _ = await run(stage.pool, lambda unit: erase_company(unit, ACME, actor="olga", reason="contract ended"))
        assert isinstance(begun, Begun)
    unknown, _ = await run(stage.pool, lambda unit: erase_company(unit, "nobody", actor="olga", reason="?"))
    assert isinstance(unknown, UnknownCompany)
    await erase_all(stage)
    assert await stage.statuses() == ["cancelled"]
    (told, *_) = await stage.log("cadence.enrollment.cancelled")
    assert (told["reason"], told["actor"]) == ("company_deleted", "olga")


async def test_its_api_keys_end_with_it_but_not_what_was_made_since(stage: Stage) -> None:
    await enrolled(stage)
    await enrolled(stage, GLOBEX)
    before, of_another = await a_key(stage, ACME), await a_key(stage, GLOBEX)
    await stage.hears("company.deleted")
    since = await a_key(stage, ACME)
    await erase_all(stage)
    rows = await stage.pool.fetch("SELECT key_id, revoked_by FROM api_keys")
    assert {row[0]: row[1] for row in rows} == {before: "the company was deleted", of_another: None, since: None}
