"""The order in which topics are read is nobody's promise: what happened last counts, whatever is read last."""

from datetime import timedelta
from typing import Any

from cadence_engine.domain.cadence import Wait
from cadence_engine.domain.enroll import Enrolled, Refusal, Refused
from tests.handlers.conftest import Stage, definition

DAY = [Wait(days=1)]
PHONE = "+5511999990000"


async def test_an_opt_out_read_behind_a_later_deletion_still_counts(stage: Stage) -> None:
    await stage.publish(definition(waits=DAY))
    now = await stage.now()
    await stage.hears("contact.deleted", at=now - timedelta(minutes=2), contactId="ana")
    await stage.hears("contact.preferences.changed", at=now - timedelta(minutes=3), contactId="ana", marketing="stop")
    await stage.hears("contact.created", at=now - timedelta(minutes=1), contactId="ana", phone=PHONE)
    assert await stage.statuses() == []


async def test_a_trigger_newer_than_a_deletion_enrolls(stage: Stage) -> None:
    await stage.publish(definition(trigger="purchase.completed", waits=DAY))
    now = await stage.now()
    await stage.hears("contact.deleted", at=now - timedelta(minutes=3), contactId="ana")
    await stage.hears("purchase.completed", at=now - timedelta(minutes=1), contactId="ana", purchaseId="p")
    assert await stage.statuses() == ["active"]
    await stage.hears("contact.deleted", at=now - timedelta(minutes=2), contactId="ana")
    assert await stage.statuses() == ["active"]


async def test_a_trigger_older_than_a_deletion_does_not(stage: Stage) -> None:
    await stage.publish(definition(trigger="purchase.completed", waits=DAY))
    now = await stage.now()
    await stage.hears("contact.deleted", at=now - timedelta(minutes=1), contactId="ana")
    await stage.hears("purchase.completed", at=now - timedelta(minutes=2), contactId="ana", purchaseId="p")
    assert await stage.statuses() == []


async def test_a_deletion_ends_what_was_enrolled_by_hand_though_it_is_older(stage: Stage) -> None:
    cadence = await stage.publish(definition(trigger="api", waits=DAY))
    await stage.hears("contact.created", at=await stage.now() - timedelta(minutes=5), contactId="ana", phone=PHONE)
    await stage.enroll(cadence, "ana")
    await stage.hears("contact.deleted", at=await stage.now() - timedelta(minutes=1), contactId="ana")
    assert await stage.statuses() == ["cancelled"]


async def test_a_trigger_that_names_a_lead_or_conversation_not_known_yet_enrolls_without_it(stage: Stage) -> None:
    await stage.publish(definition(trigger="purchase.completed", waits=DAY))
    await stage.hears("message.received", contactId="bia", conversationId="c1", direction="outbound")
    await stage.hears("purchase.completed", contactId="bia", purchaseId="p", leadId="unknown", conversationId="c1")
    await stage.hears("purchase.completed", contactId="ana", purchaseId="p", leadId=42)
    assert await stage.statuses("ana") == ["active"]
    (bia, ana) = await stage.log("cadence.enrollment.started")
    assert (bia["leadId"], bia["conversationId"], ana["leadId"]) == (None, "c1", None)


async def test_a_lead_is_known_field_by_field_by_its_newest_word(stage: Stage) -> None:
    now = await stage.now()
    told = [
        ({"boardId": "new", "contactId": "ana"}, 3),
        ({"boardId": "old"}, 5),
        ({}, 1),
    ]
    await stage.receive(
        *(stage.event("lead.created", at=now - timedelta(minutes=ago), leadId="l", **data) for data, ago in told)
    )
    assert await _lead(stage) == ("new", "ana")
    await stage.hears("lead.created", at=now - timedelta(minutes=2), leadId="l", boardId=None)
    assert await _lead(stage) == (None, "ana")
    await stage.hears("lead.created", at=now - timedelta(minutes=4), leadId="m")
    await stage.hears("lead.created", at=now - timedelta(minutes=9), leadId="m", boardId="first")
    assert await stage.pool.fetchval("SELECT board_id FROM leads WHERE lead_id = 'm'") == "first"


async def test_of_two_messages_in_a_page_the_newest_counts_for_the_conversation(stage: Stage) -> None:
    now = await stage.now()
    times = [now - timedelta(minutes=1), now - timedelta(minutes=9)]
    await stage.receive(*(stage.event("message.received", at=at, contactId="ana", conversationId="c1") for at in times))
    assert await stage.pool.fetchval("SELECT last_message_at FROM conversations") == times[0]


async def test_a_trigger_read_before_the_older_reply_that_makes_room_for_it_is_lost_until_it_comes_anew(
    stage: Stage,
) -> None:
    await stage.publish(definition(trigger="purchase.completed", waits=DAY))
    now = await stage.now()
    await stage.hears("purchase.completed", at=now - timedelta(minutes=9), contactId="ana", purchaseId="p1")
    await stage.hears("purchase.completed", at=now - timedelta(minutes=1), contactId="ana", purchaseId="p2")
    await stage.hears("message.received", at=now - timedelta(minutes=5), contactId="ana")
    assert await stage.statuses() == ["cancelled"]
    await stage.hears("purchase.completed", at=now, contactId="ana", purchaseId="p2")
    assert await stage.statuses() == ["cancelled", "active"]


async def test_who_bought_since_a_deletion_is_there_though_it_is_read_last(stage: Stage) -> None:
    cadence = await stage.publish(definition(trigger="api", waits=DAY))
    now = await stage.now()
    await stage.hears("contact.created", at=now - timedelta(minutes=9), contactId="ana", phone=PHONE)
    await stage.hears("purchase.completed", at=now - timedelta(minutes=1), contactId="ana", purchaseId="p")
    assert isinstance(await stage.enroll(cadence, "ana"), Enrolled)
    await stage.hears("contact.deleted", at=now - timedelta(minutes=5), contactId="ana")
    assert await stage.statuses() == ["active"]
    assert await _contact(stage, "phone, erased") == (None, False)
    await stage.hears("contact.deleted", at=now, contactId="ana")
    assert await stage.statuses() == ["cancelled"]
    assert await _contact(stage, "phone, erased") == (None, True)


async def test_a_purchase_from_before_a_deletion_does_not_bring_its_contact_back(stage: Stage) -> None:
    cadence = await stage.publish(definition(trigger="api", waits=DAY))
    now = await stage.now()
    await stage.hears("contact.deleted", at=now - timedelta(minutes=1), contactId="ana")
    await stage.hears("purchase.completed", at=now - timedelta(minutes=2), contactId="ana", purchaseId="p")
    assert await stage.enroll(cadence, "ana") == Refused(Refusal.CONTACT_ERASED)
    assert await _contact(stage, "erased") == (True,)


async def test_of_purchases_in_a_page_the_newest_tells_whether_its_contact_is_there(stage: Stage) -> None:
    now = await stage.now()
    times = [now - timedelta(minutes=minutes) for minutes in (5, 1, 9)]
    await stage.receive(
        *(stage.event("purchase.completed", at=at, contactId="ana", purchaseId=str(at)) for at in times)
    )
    await stage.hears("contact.deleted", at=now - timedelta(minutes=3), contactId="ana")
    assert await _contact(stage, "mentioned_at, erased") == (times[1], False)


async def test_a_conversation_goes_with_a_deletion_though_a_later_message_named_none(stage: Stage) -> None:
    await stage.publish(definition(waits=[Wait()]))
    now = await stage.now()
    await stage.hears("message.received", at=now - timedelta(minutes=9), contactId="ana", conversationId="c1")
    await stage.hears("message.received", at=now - timedelta(minutes=1), contactId="ana")
    await stage.hears("contact.deleted", at=now - timedelta(minutes=5), contactId="ana")
    assert await _contact(stage, "last_conversation_id, erased") == (None, False)
    await stage.hears("message.received", at=now - timedelta(minutes=3), contactId="ana", conversationId="c2")
    assert await _contact(stage, "last_conversation_id, last_message_at") == ("c2", now - timedelta(minutes=1))


async def _lead(stage: Stage) -> tuple[str | None, str | None]:
    row = await stage.pool.fetchrow("SELECT board_id, contact_id FROM leads WHERE lead_id = 'l'")
    assert row is not None
    return row["board_id"], row["contact_id"]


async def _contact(stage: Stage, columns: str) -> tuple[Any, ...]:
    row = await stage.pool.fetchrow(f"SELECT {columns} FROM contacts")  # noqa: S608  # of the tests above
    assert row is not None
    return tuple(row)
