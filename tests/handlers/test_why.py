"""Why a contact got a message, or did not: one answer, by the rules that decided."""

import uuid
from datetime import timedelta
from uuid import UUID

from cadence_engine.domain.cadence import Lookup, Reentry, ReentryRule, Source, Wait
from cadence_engine.domain.outlook import Outlook, Silence, SoFar
from cadence_engine.domain.waiting import WaitsFor
from cadence_engine.handlers.cadence_status import pause_cadence
from cadence_engine.handlers.why import Answer, why_contact, why_enrollment
from cadence_engine.storage.database import run
from cadence_engine.storage.reports.timeline import Place
from tests.handlers.conftest import ACME, Stage, definition

LATER = [Wait(days=1)]
PHONE = "+5511999990000"


async def why(stage: Stage, contact_id: str = "ana", *, before: Place | None = None, rows: int = 100) -> Answer:
    async with stage.pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        answer = await why_contact(connection, ACME, contact_id, stage.policy, before=before, rows=rows)
    assert answer is not None
    return answer


async def outlook(stage: Stage, contact_id: str = "ana") -> Outlook:
    (found,) = (await why(stage, contact_id)).outlooks
    return found


async def test_a_cadence_whose_trigger_never_came(stage: Stage) -> None:
    await stage.publish(definition(trigger="purchase.completed"))
    await stage.hears("contact.created", contactId="ana", phone=PHONE)

    found = await outlook(stage)

    assert (found.so_far, found.refused, found.now) == (SoFar.NEVER_TRIGGERED, None, None)
    assert found.made_at <= await stage.now()


async def test_a_trigger_that_came_with_other_data_names_what_differed_and_no_value(stage: Stage) -> None:
    cadence = definition(trigger="purchase.completed", where={"product": ["pro"], "plan": ["yearly"]})
    await stage.publish(cadence)
    await stage.hears("purchase.completed", contactId="ana", purchaseId="1", product="starter", plan="yearly")

    found = await outlook(stage)

    assert found.so_far is SoFar.REFUSED
    assert found.refused is not None
    assert (found.refused.reason, found.refused.fields) == ("where", ("product",))
    (logged,) = await stage.log("cadence.enrollment.refused")
    assert "starter" not in str(logged)
    assert await stage.statuses() == []


async def test_one_entry_tells_of_every_cadence_that_asks_for_other_data(stage: Stage) -> None:
    for product in ("pro", "team", "starter"):
        await stage.publish(definition(key=product, trigger="purchase.completed", where={"product": [product]}))
    await stage.hears("purchase.completed", contactId="ana", purchaseId="1", product="starter")

    (logged,) = await stage.log("cadence.enrollment.refused")
    assert sorted(each["cadenceKey"] for each in logged["cadences"]) == ["pro", "team"]
    assert {each.cadence_key: each.so_far for each in (await why(stage)).outlooks} == {
        "pro": SoFar.REFUSED,
        "team": SoFar.REFUSED,
    }


async def test_a_trigger_while_the_cadence_was_paused_is_told(stage: Stage) -> None:
    await stage.publish(definition())
    await run(stage.pool, lambda unit: pause_cadence(unit, ACME, "onboarding", actor="olga", reason=None))
    await stage.hears("contact.created", contactId="ana", phone=PHONE)

    found = await outlook(stage)

    assert found.refused is not None
    assert (found.so_far, found.refused.reason) == (SoFar.REFUSED, "cadence_not_active")
    assert (found.active, found.now) == (False, "cadence_not_active")


async def test_the_rules_that_stand_against_it_now(stage: Stage) -> None:
    never = Reentry(ReentryRule.NEVER)
    await stage.publish(definition(reentry=never, waits=[Wait()]))
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    await stage.run_due()

    after_passage = await outlook(stage)
    assert (after_passage.so_far, after_passage.now) == (SoFar.WAS_IN_IT, "reentry")

    await stage.hears("contact.preferences.changed", contactId="ana", marketing="stop")
    assert (await outlook(stage)).now == "opted_out"


async def test_silence_that_is_too_short_says_from_when_it_counts(stage: Stage) -> None:
    await stage.publish(definition(trigger="inactivity", after=Wait(days=21)))
    await stage.hears("contact.created", contactId="bob", phone=PHONE)
    assert (await outlook(stage, "bob")).now == Silence.NO_MESSAGE

    wrote_at = await stage.now() - timedelta(days=20)
    await stage.hears("message.received", contactId="bob", at=wrote_at)
    lively = await outlook(stage, "bob")
    assert (lively.now, lively.inactive_from) == (Silence.TOO_SHORT, wrote_at + timedelta(days=21))

    await stage.hears("message.received", contactId="cleo", at=await stage.now() - timedelta(days=23))
    assert (await outlook(stage, "cleo")).now is None


async def test_what_each_passage_waits_for(stage: Stage) -> None:
    await stage.publish(definition(key="later", waits=LATER))
    await stage.publish(definition(key="now", variables={"product": Lookup(Source.CONTEXT, "product")}))
    await stage.hears("contact.created", contactId="ana", phone=PHONE)

    async def waits() -> dict[str, WaitsFor | None]:
        return {each.passage.enrollment.cadence_key: each.waits_for for each in (await why(stage)).passages}

    assert await waits() == {"later": WaitsFor.TIME, "now": WaitsFor.GATE}
    await stage.run_due()
    assert await waits() == {"later": WaitsFor.TIME, "now": WaitsFor.MENDING}
    await run(stage.pool, lambda unit: pause_cadence(unit, ACME, "later", actor="olga", reason="sale"))
    assert (await waits())["later"] is WaitsFor.CADENCE
    (held,) = [each for each in (await why(stage)).passages if each.waits_for is WaitsFor.CADENCE]
    assert (held.cadence.actor, held.cadence.reason) == ("olga", "sale")


async def test_a_long_history_is_read_page_by_page(stage: Stage) -> None:
    await stage.publish(definition(waits=[Wait()] * 5))
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    for _ in range(5):
        await stage.run_due()
    await stage.hears("contact.preferences.changed", contactId="ana", marketing="stop")
    await stage.hears("contact.created", contactId="ana", phone=PHONE)

    whole = [each.type for each in (await why(stage)).timeline.happened]
    assert whole[0] == "cadence.enrollment.started"
    assert whole[-1] == "cadence.enrollment.refused"
    assert len(whole) == 8

    read: list[str] = []
    before, pages = None, 0
    while pages == 0 or before is not None:
        page = (await why(stage, before=before, rows=3)).timeline
        read = [*(each.type for each in page.happened), *read]
        before, pages = page.older, pages + 1
    assert (read, pages) == (whole, 3)


async def test_one_enrollment_alone(stage: Stage) -> None:
    for key in ("a", "b"):
        await stage.publish(definition(key=key, waits=LATER))
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    await stage.hears("message.received", contactId="ana", messageId="m-1")
    passages = (await why(stage)).passages
    wanted = passages[0].passage.enrollment

    async def of(company: str, enrollment_id: UUID) -> Answer | None:
        async with stage.pool.acquire() as connection:
            return await why_enrollment(connection, company, enrollment_id, stage.policy, before=None, rows=10)

    answer = await of(ACME, wanted.enrollment_id)
    assert answer is not None
    assert [each.passage.enrollment for each in answer.passages] == [wanted]
    assert {each.enrollment_id for each in answer.timeline.happened} == {wanted.enrollment_id}
    assert answer.timeline.happened[-1].data["messageId"] == "m-1"
    assert await of("other", wanted.enrollment_id) is None
    assert await of(ACME, uuid.uuid4()) is None
