"""What a deletion leaves behind, who asked for it, and what a repeated creation does afterwards."""

from datetime import timedelta

from cadence_engine.domain.cadence import Wait
from cadence_engine.domain.operate import Cancel
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.erase import Erased, NotFound, Outcome, erase_contact
from cadence_engine.handlers.operate import Order, operate_on
from cadence_engine.storage.database import run
from tests.handlers.conftest import ACME, NAME, Stage, definition

LATER = [Wait(), Wait(days=1)]
PHONE = "+5511999990000"
TRACED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def erase(stage: Stage, contact_id: str = "ana", company: str = ACME) -> Outcome:
    return (
        await run(stage.pool, lambda unit: erase_contact(unit, company, contact_id, actor="olga", reason="ticket 7"))
    )[0]


async def test_an_operator_erases_as_the_event_does(stage: Stage) -> None:
    await stage.publish(definition(waits=LATER, variables=NAME))
    await stage.hears("contact.created", contactId="ana", name="Ana Souza", phone=PHONE, tags=["vip"])
    await stage.run_due()
    await stage.pool.execute("UPDATE event_batches SET published_at = now()")
    assert await erase(stage) == Erased(cancelled=1, letters=0)
    assert await erase(stage) == Erased(cancelled=0, letters=0)
    rows = await everything(stage)
    for secret in (PHONE, "Souza", "vip"):
        assert secret not in rows
    (cancelled,) = await stage.log("cadence.enrollment.cancelled")
    assert (cancelled["reason"], cancelled["actor"], cancelled["note"]) == ("contact_deleted", "olga", None)
    erased, _ = await stage.log("cadence.contact.erased")
    assert (erased["cause"], erased["note"]) == ({"actor": "olga"}, "ticket 7")


async def test_only_a_contact_of_the_company_is_erased(stage: Stage) -> None:
    await stage.hears("contact.created", contactId="ana", name="Ana")
    assert await erase(stage, company="globex") == NotFound()
    assert await erase(stage, "bia") == NotFound()
    assert await stage.pool.fetchval("SELECT name FROM contacts") == "Ana"
    assert await stage.pool.fetchval("SELECT count(*) FROM companies") == 1


async def test_what_operators_wrote_of_a_passage_goes_with_it(stage: Stage) -> None:
    await stage.publish(definition(waits=LATER))
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    enrollment_id = await stage.pool.fetchval("SELECT enrollment_id FROM cadence_enrollments")
    order = Order(Cancel(), "olga", "Ana Souza rang")
    await run(stage.pool, lambda unit: operate_on(unit, ACME, enrollment_id, order, Policy()))
    await erase(stage)
    assert "Souza" not in await everything(stage)


async def test_no_trace_leads_to_a_deleted_contact(stage: Stage) -> None:
    await stage.publish(definition(waits=LATER))
    created = stage.event("contact.created", at=await stage.now(), contactId="ana", phone=PHONE)
    await stage.receive(created._replace(traceparent=TRACED))
    assert (await stage.run_due()).traceparents == [TRACED]
    assert TRACED in await everything(stage)
    await erase(stage)
    assert TRACED not in await everything(stage)


async def test_a_creation_that_is_sent_again_as_news_enrolls_nobody_again(stage: Stage) -> None:
    await stage.publish(definition(waits=LATER))
    await stage.hears("contact.created", contactId="ana", name="Ana", id_="created-1")
    await stage.hears("contact.deleted", contactId="ana")
    await stage.pool.execute("DELETE FROM inbox")  # as after some days
    later = await stage.now() + timedelta(seconds=1)
    for _ in range(2):
        await stage.hears("contact.created", at=later, contactId="ana", name="Ana", id_="created-1")
        await stage.hears("contact.deleted", contactId="ana")
        await stage.pool.execute("DELETE FROM inbox")
    assert await stage.statuses() == ["cancelled"]
    assert "Ana" not in await everything(stage)
    assert "created-1" not in str(await stage.pool.fetch("TABLE erased_creations"))
    assert await stage.pool.fetchval("SELECT count(*) FROM erased_creations") == 1


async def test_who_comes_back_under_a_new_event_is_welcome(stage: Stage) -> None:
    await stage.publish(definition(waits=LATER))
    await stage.hears("contact.created", contactId="ana", name="Ana")
    await stage.hears("contact.deleted", contactId="ana")
    await stage.hears("contact.created", at=await stage.now() + timedelta(seconds=1), contactId="ana", name="Ana")
    assert await stage.statuses() == ["cancelled", "active"]


async def everything(stage: Stage) -> str:
    tables = await stage.pool.fetch("SELECT relid::regclass::text FROM pg_stat_user_tables")
    return str([await stage.pool.fetch(f"SELECT whole::text FROM {table} AS whole") for (table,) in tables])  # noqa: S608
