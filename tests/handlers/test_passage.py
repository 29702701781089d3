"""A contact's way through a cadence."""

from datetime import timedelta

from asyncpg.connection import LoggedQuery

from cadence_engine.domain.cadence import Wait
from cadence_engine.storage.database import connect
from tests.handlers.conftest import NAME, Stage, definition


async def test_a_created_contact_is_sent_every_step_and_completes_with_its_tags(stage: Stage) -> None:
    await stage.publish(definition(variables=NAME, tags=["welcomed"]))
    await stage.hears("contact.created", contactId="ana", name="Ana", phone="+5511999990000", tags=["vip"])

    for _ in range(3):
        assert (await stage.run_due()).claimed == 1
    assert (await stage.run_due()).claimed == 0

    sends = await stage.log("whatsapp.send.requested")
    assert [send["template"]["id"] for send in sends] == ["template_1", "template_2", "template_3"]
    assert {send["to"] for send in sends} == {"+5511999990000"}
    assert all(send["template"]["variables"] == {"contactName": "Ana"} for send in sends)
    assert await stage.statuses() == ["completed"]
    (completed,) = await stage.log("cadence.enrollment.completed")
    assert completed["tags"] == ["welcomed"]
    tags = await stage.pool.fetch("SELECT owner, tag FROM contact_tags ORDER BY tag")
    assert [tuple(tag) for tag in tags] == [("crm", "vip"), ("cadence", "welcomed")]
    lifecycle = [event["revision"] for event in await stage.log() if event["type"] != "whatsapp.send.requested"]
    assert lifecycle == [1, 2, 3, 4, 5]


async def test_a_step_waits_for_its_time(stage: Stage) -> None:
    await stage.publish(definition(waits=[Wait(exact=timedelta(hours=1))]))
    await stage.hears("contact.created", contactId="ana", phone="+5511999990000")
    assert (await stage.run_due()).claimed == 0
    assert await stage.statuses() == ["active"]


async def test_an_event_that_comes_twice_enrolls_once(stage: Stage) -> None:
    await stage.publish(definition())
    at = await stage.now()
    event = stage.event("contact.created", at=at, id_="e1", contactId="ana", phone="+5511999990000")
    counts = await stage.receive(event, event)
    assert (counts.applied, counts.seen) == (1, 1)
    assert (await stage.receive(event)).seen == 1
    assert await stage.statuses() == ["active"]


async def test_two_cadences_that_complete_at_once_both_leave_their_tags(stage: Stage) -> None:
    for key in ("a", "b"):
        await stage.publish(definition(key=key, waits=[Wait()], tags=[key]))
    await stage.hears("contact.created", contactId="ana", phone="+5511999990000")
    assert (await stage.run_due()).completed == 2
    tags = await stage.pool.fetch("SELECT tag FROM contact_tags")
    assert {tag["tag"] for tag in tags} == {"a", "b"}


async def test_the_number_of_statements_does_not_grow_with_the_page(database_url: str) -> None:
    seen: list[str] = []

    async def note(query: LoggedQuery) -> None:
        seen.append(query.query)

    async def statements(stage: Stage, contacts: int) -> list[int]:
        """How many it takes to enroll so many, to run their step, and to take in a message of each."""
        counted, ids, at = [], [f"{contacts}-{n}" for n in range(contacts)], await stage.now()
        created = [stage.event("contact.created", at=at, contactId=c, phone="+5511999990000", tags=["x"]) for c in ids]
        messages = [stage.event("message.received", at=at, contactId=c, conversationId=c) for c in ids]
        for work in (stage.receive(*created), stage.run_due(), stage.receive(*messages)):
            seen.clear()
            await work
            counted.append(len(seen))
        return counted

    async with await connect(database_url, process="test", size=1) as pool:
        async with pool.acquire() as connection:
            connection.add_query_logger(note)
        stage = Stage(pool)
        await stage.publish(definition(waits=[Wait()], tags=["done"]))
        await statements(stage, 1)  # versions are read once
        few = await statements(stage, 2)
        assert min(few) > 3
        assert await statements(stage, 200) == few
