"""Who is enrolled, who is refused and why."""

import asyncio
import uuid
from datetime import datetime, timedelta

import asyncpg
import pytest

from cadence_engine.domain.cadence import CadenceVersion, Reentry, ReentryRule, Wait
from cadence_engine.domain.enroll import AlreadyEnrolled, Enrolled, Refusal, Refused
from cadence_engine.handlers.cadence_status import pause_cadence
from cadence_engine.storage.database import run
from tests.handlers.conftest import ACME, Stage, definition

GLOBEX = "globex"


async def test_each_ownership_check_has_its_own_reason(stage: Stage) -> None:
    ours = await stage.publish(definition(key="ours", trigger="api"))
    theirs = await stage.publish(definition(key="theirs", trigger="api"), company=GLOBEX)
    await stage.hears("contact.created", contactId="ana")
    await stage.hears("contact.created", companyId=GLOBEX, contactId="gil")
    await stage.hears("lead.created", companyId=GLOBEX, leadId="l1")
    await stage.hears("message.received", companyId=GLOBEX, contactId="gil", conversationId="c1", direction="outbound")

    assert await stage.enroll(ours, "ana", cadence_id=theirs.cadence_id) == Refused(Refusal.CADENCE_NOT_FOUND)
    assert await stage.enroll(ours, "gil") == Refused(Refusal.CONTACT_NOT_FOUND)
    assert await stage.enroll(ours, "ana", lead_id="l1") == Refused(Refusal.LEAD_NOT_FOUND)
    assert await stage.enroll(ours, "ana", conversation_id="c1") == Refused(Refusal.CONVERSATION_NOT_FOUND)
    assert await stage.statuses() == []

    reasons = [refused["reason"] for refused in await stage.log("cadence.enrollment.refused")]
    assert reasons == ["cadence_not_found", "contact_not_found", "lead_not_found", "conversation_not_found"]


async def test_own_lead_and_conversation_are_accepted_and_told(stage: Stage) -> None:
    cadence = await stage.publish(definition(trigger="api"))
    await stage.hears("lead.created", leadId="l1", boardId="b1", contactId="ana")
    await stage.hears("message.received", contactId="ana", conversationId="c1", direction="outbound")
    assert isinstance(await stage.enroll(cadence, "ana", lead_id="l1", conversation_id="c1"), Enrolled)
    (started,) = await stage.log("cadence.enrollment.started")
    assert (started["leadId"], started["conversationId"], started["trigger"]) == ("l1", "c1", "api")


async def test_enrolling_twice_answers_the_existing_enrollment_and_changes_nothing(stage: Stage) -> None:
    cadence = await stage.publish(definition(trigger="api"))
    await stage.hears("contact.created", contactId="ana")
    first = await stage.enroll(cadence, "ana")
    assert isinstance(first, Enrolled)
    again = await stage.enroll(cadence, "ana")
    assert again == AlreadyEnrolled(first.decision.enrollment.enrollment_id)
    assert len(await stage.log("cadence.enrollment.started")) == 1


async def test_twenty_at_once_make_one_enrollment(stage: Stage) -> None:
    cadence = await stage.publish(definition(trigger="api"))
    await stage.hears("contact.created", contactId="ana")
    outcomes = await asyncio.gather(*(stage.enroll(cadence, "ana") for _ in range(20)))
    assert sum(isinstance(outcome, Enrolled) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, AlreadyEnrolled) for outcome in outcomes) == 19
    assert await stage.statuses() == ["active"]


async def test_the_database_itself_refuses_a_second_live_enrollment(stage: Stage) -> None:
    cadence = await stage.publish(definition(trigger="api"))
    await stage.hears("contact.created", contactId="ana")
    await stage.enroll(cadence, "ana")
    copy = """INSERT INTO cadence_enrollments (company_id, enrollment_id, cadence_id, version, contact_id, status,
        step_index, next_run_at, revision, trigger, triggered_at, started_at)
        SELECT company_id, $1, cadence_id, version, contact_id, status, step_index, next_run_at, revision, trigger,
            triggered_at, started_at FROM cadence_enrollments"""
    with pytest.raises(asyncpg.UniqueViolationError, match="enrollments_one_live"):
        await stage.pool.execute(copy, uuid.uuid4())


async def test_a_paused_cadence_takes_nobody(stage: Stage) -> None:
    cadence = await stage.publish(definition())
    await _pause(stage, cadence)
    await stage.hears("contact.created", contactId="ana")
    assert await stage.statuses() == []
    assert await stage.enroll(cadence, "ana") == Refused(Refusal.CADENCE_NOT_ACTIVE)


async def test_where_picks_the_events(stage: Stage) -> None:
    await stage.publish(definition(trigger="purchase.completed", where={"product": ["starter", "basic"]}))
    await stage.hears("purchase.completed", contactId="ana", purchaseId="p1", product="pro")
    await stage.hears("purchase.completed", contactId="bia", purchaseId="p2", product="basic")
    assert (await stage.statuses("ana"), await stage.statuses("bia")) == ([], ["active"])


async def test_reentry_never(stage: Stage) -> None:
    await stage.publish(definition(reentry=Reentry(ReentryRule.NEVER), waits=[Wait()]))
    await stage.hears("contact.created", contactId="ana", phone="+5511999990000")
    await stage.run_due()
    await stage.hears("contact.created", contactId="ana")
    assert await stage.statuses() == ["completed"]
    assert [refused["reason"] for refused in await stage.log("cadence.enrollment.refused")] == ["reentry"]


async def test_reentry_after_new_activity_looks_at_inbound_messages_only(stage: Stage) -> None:
    rule = Reentry(ReentryRule.NEW_ACTIVITY)
    cadence = await stage.publish(definition(trigger="api", reentry=rule, waits=[Wait()]))
    await stage.hears("contact.created", contactId="ana", phone="+5511999990000")
    await stage.enroll(cadence, "ana")
    await stage.run_due()
    await stage.hears("message.received", contactId="ana", direction="outbound")
    assert await stage.enroll(cadence, "ana") == Refused(Refusal.REENTRY)
    await stage.hears("message.received", contactId="ana")
    assert isinstance(await stage.enroll(cadence, "ana"), Enrolled)


async def test_reentry_after_a_time_counts_from_the_end_of_the_last_passage(stage: Stage) -> None:
    rule = Reentry(ReentryRule.AFTER, Wait(exact=timedelta(hours=1)))
    cadence = await stage.publish(definition(trigger="api", reentry=rule, waits=[Wait()]))
    await stage.hears("contact.created", contactId="ana", phone="+5511999990000")
    await stage.enroll(cadence, "ana")
    await stage.run_due()
    now = await stage.now()
    assert await stage.enroll(cadence, "ana", triggered_at=now + timedelta(minutes=59)) == Refused(Refusal.REENTRY)
    assert isinstance(await stage.enroll(cadence, "ana", triggered_at=now + timedelta(minutes=61)), Enrolled)


async def test_reentry_counts_from_the_newest_passage(stage: Stage) -> None:
    rule = Reentry(ReentryRule.AFTER, Wait(exact=timedelta(hours=1)))
    cadence = await stage.publish(definition(trigger="api", reentry=rule, waits=[Wait()]))
    await stage.hears("contact.created", contactId="ana", phone="+5511999990000")
    await stage.enroll(cadence, "ana")
    await stage.run_due()
    await stage.pool.execute(
        "UPDATE cadence_enrollments SET started_at = started_at - '1d'::interval, ended_at = ended_at - '1d'::interval"
    )
    await stage.enroll(cadence, "ana")
    await stage.run_due()
    assert await stage.statuses() == ["completed", "completed"]
    assert await stage.enroll(cadence, "ana") == Refused(Refusal.REENTRY)


@pytest.mark.parametrize("order", ["ASC", "DESC"])
async def test_of_two_passages_that_started_at_once_the_last_is_the_one_that_ended_last(
    stage: Stage, order: str
) -> None:
    rule = Reentry(ReentryRule.AFTER, Wait(exact=timedelta(hours=1)))
    cadence = await stage.publish(definition(trigger="api", reentry=rule, waits=[Wait()]))
    await stage.hears("contact.created", contactId="ana", phone="+5511999990000")
    for _ in range(2):
        await stage.enroll(cadence, "ana", triggered_at=await stage.now() + timedelta(hours=2))
        await stage.run_due()
    assert await stage.statuses() == ["completed", "completed"]
    await stage.pool.execute(
        f"""
        UPDATE cadence_enrollments SET started_at = now() - '3d'::interval, ended_at = now() - place * '1d'::interval
        FROM (SELECT enrollment_id, row_number() OVER (ORDER BY started_at {order}) - 1 AS place
            FROM cadence_enrollments) AS placed
        WHERE cadence_enrollments.enrollment_id = placed.enrollment_id
        """  # noqa: S608  # of the two above
    )
    assert await stage.enroll(cadence, "ana") == Refused(Refusal.REENTRY)


async def test_an_opted_out_contact_is_refused_until_it_resumes(stage: Stage) -> None:
    await stage.publish(definition(trigger="purchase.completed"))
    await stage.hears("contact.preferences.changed", contactId="ana", marketing="stop")
    await stage.hears("purchase.completed", contactId="ana", purchaseId="p1")
    assert await stage.statuses() == []
    await stage.hears("contact.preferences.changed", contactId="ana", marketing="resume")
    await stage.hears("purchase.completed", contactId="ana", purchaseId="p2")
    assert await stage.statuses() == ["active"]


async def test_a_trigger_that_the_contact_has_answered_already_does_not_start(stage: Stage) -> None:
    await stage.publish(definition(key="plain"))
    await stage.publish(definition(key="graceful", grace=timedelta(minutes=10)))
    created_at = await stage.now() - timedelta(minutes=5)
    await stage.hears("message.received", at=created_at + timedelta(minutes=1), contactId="ana")
    await stage.hears("contact.created", at=created_at, contactId="ana")
    started = [event["cadenceKey"] for event in await stage.log("cadence.enrollment.started")]
    refused = [(event["cadenceKey"], event["reason"]) for event in await stage.log("cadence.enrollment.refused")]
    assert (started, refused) == (["graceful"], [("plain", "replied")])


async def test_a_creation_after_its_deletion_enrolls_nobody(stage: Stage, long_ago: datetime) -> None:
    await stage.publish(definition())
    await stage.hears("contact.deleted", at=long_ago + timedelta(seconds=1), contactId="ana")
    await stage.hears("contact.created", at=long_ago, contactId="ana", name="Ana")
    assert await stage.statuses() == []
    assert await stage.pool.fetchval("SELECT name FROM contacts") is None
    await stage.hears("contact.created", at=long_ago + timedelta(days=1), contactId="ana", name="Ana")
    assert await stage.statuses() == ["active"]


async def test_a_lead_that_names_a_contact_is_a_trigger(stage: Stage) -> None:
    await stage.publish(definition(trigger="lead.created"))
    await stage.hears("lead.created", leadId="l0")
    await stage.hears("lead.created", leadId="l1", contactId="ana")
    (started,) = await stage.log("cadence.enrollment.started")
    assert (started["contactId"], started["leadId"]) == ("ana", "l1")


async def test_the_same_contact_id_in_two_companies_is_two_contacts(stage: Stage) -> None:
    await stage.publish(definition())
    await stage.publish(definition(), company=GLOBEX)
    await stage.hears("contact.created", contactId="ana")
    await stage.hears("contact.created", companyId=GLOBEX, contactId="ana")
    await stage.hears("message.received", contactId="ana")
    assert (await stage.statuses("ana", ACME), await stage.statuses("ana", GLOBEX)) == (["cancelled"], ["active"])


async def test_a_new_version_leaves_those_in_flight_on_theirs(stage: Stage) -> None:
    await stage.publish(definition(waits=[Wait(), Wait()]))
    await stage.hears("contact.created", contactId="ana", phone="+5511999990000")
    await stage.publish(definition(waits=[Wait()]))
    await stage.hears("contact.created", contactId="bia", phone="+5511999990001")
    for _ in range(3):
        await stage.run_due()
    sent = [
        (send["contactId"], send["version"], send["stepKey"]) for send in await stage.log("whatsapp.send.requested")
    ]
    assert sorted(sent) == [("ana", 1, "step-1"), ("ana", 1, "step-2"), ("bia", 2, "step-1")]


async def _pause(stage: Stage, cadence: CadenceVersion) -> None:
    await run(
        stage.pool,
        lambda unit: pause_cadence(unit, cadence.company_id, cadence.definition.key, actor="test", reason="test"),
    )
