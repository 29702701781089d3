"""From an event of another service to the sends, through every process."""

import json
from datetime import UTC, datetime, timedelta

from cadence_contracts.inbound import (
    ContactCreated,
    ContactDeleted,
    ContactPreferencesChanged,
    ContactUpdated,
    LeadCreated,
    MessageReceived,
    PurchaseCompleted,
)
from cadence_contracts.outbound import (
    EnrollmentCancelled,
    EnrollmentCompleted,
    EnrollmentEvent,
    EnrollmentStarted,
    StepExecuted,
)
from cadence_engine.devstack.errors import DevstackError
from tests.journeys.conftest import ACME, PHONE, World, twice

QUICK = """
key: onboarding
name: Welcome
trigger: {event: contact.created}
language: pt_BR
steps:
  - {key: welcome, wait: PT0S, template: {id: t1, variables: {contactName: {from: contact.name, else: friend}}}}
  - {key: start, wait: PT1S, template: {id: t2}}
  - {key: help, wait: PT1S, template: {id: t3}}
onCompletion: {addTags: [onboarded]}
"""
SLOW = """
key: onboarding
name: Welcome
trigger: {event: contact.created}
steps:
  - {key: welcome, wait: PT0S, template: {id: t1}}
  - {key: help, wait: P1D, template: {id: t2}}
"""


def ana() -> ContactCreated:
    return ContactCreated(company_id=ACME, contact_id="ana", name="Ana", phone=PHONE)


async def test_every_step_goes_out_once_in_order_and_soon(world: World) -> None:
    await world.apply(QUICK)
    await world.publish(ana())
    await world.until(lambda: "cadence.enrollment.completed" in world.kinds("ana"))

    sends = world.sends("ana")
    assert [send.template.id for send in sends] == ["t1", "t2", "t3"]
    assert {(send.to, send.template.language) for send in sends} == {(PHONE, "pt_BR")}
    assert sends[0].template.variables == {"contactName": "Ana"}
    events = [told.event for told in world.of("ana") if isinstance(told.event, EnrollmentEvent)]
    assert [event.revision for event in events] == [1, 2, 3, 4, 5]
    assert isinstance(events[0], EnrollmentStarted)
    assert isinstance(events[-1], EnrollmentCompleted)
    assert events[-1].tags == ["onboarded"]
    executed = [event for event in events if isinstance(event, StepExecuted)]
    assert [event.send_id for event in executed] == [send.send_id for send in sends]
    assert world.lateness < timedelta(seconds=5)
    assert not twice(world.told)


async def test_a_reply_stops_the_rest_and_says_so(world: World) -> None:
    await world.apply(SLOW)
    await world.publish(ana())
    await world.until(lambda: len(world.sends("ana")) == 1)
    await world.publish(MessageReceived(company_id=ACME, contact_id="ana", message_id="m1", conversation_id="c1"))
    await world.until(lambda: "cadence.enrollment.cancelled" in world.kinds("ana"))
    cancelled = world.of("ana")[-1].event
    assert isinstance(cancelled, EnrollmentCancelled)
    assert (cancelled.reason, cancelled.message_id) == ("replied", "m1")
    assert len(world.sends("ana")) == 1


async def test_every_way_in_and_out(world: World) -> None:
    for event in ("purchase.completed", "lead.created", "cart.abandoned"):
        await world.apply(SLOW.replace("contact.created", event).replace("key: onboarding", f"key: {event[:4]}"))
    await world.publish(
        PurchaseCompleted(company_id=ACME, contact_id="pia", purchase_id="p1"),
        LeadCreated(company_id=ACME, lead_id="l1", contact_id="leo"),
    )
    cart = {"companyId": ACME, "contactId": "cai", "items": 3}
    abandoned = {"specversion": "1.0", "id": "e1", "source": "/shop", "type": "cart.abandoned", "data": cart}
    await world.publish_raw("cart.abandoned", json.dumps(abandoned).encode(), key=b"cai")
    # A purchase, a lead and a cart came before their contacts: parked until those are known.
    await world.until(lambda: all("cadence.enrollment.parked" in world.kinds(who) for who in ("pia", "leo", "cai")))
    await world.publish(
        *(ContactUpdated(company_id=ACME, contact_id=who, phone=PHONE) for who in ("pia", "leo", "cai"))
    )
    await world.until(lambda: all(len(world.sends(who)) == 1 for who in ("pia", "leo", "cai")))
    await world.publish(
        ContactDeleted(company_id=ACME, contact_id="pia"),
        ContactPreferencesChanged(company_id=ACME, contact_id="leo", marketing="stop"),
        MessageReceived(company_id=ACME, contact_id="cai"),
    )
    await world.until(lambda: all(world.kinds(who)[-1].endswith("cancelled") for who in ("pia", "leo", "cai")))
    reasons = {who: getattr(world.of(who)[-1].event, "reason", None) for who in ("pia", "leo", "cai")}
    assert reasons == {"pia": "contact_deleted", "leo": "opted_out", "cai": "replied"}
    assert not twice(world.told)


async def test_bad_records_become_dead_letters_and_their_neighbours_go_on(world: World) -> None:
    await world.apply(SLOW)
    bad = [b"\xff\xfe", b"{}", None, b'{"specversion":"1.0","id":"1","source":"/x","type":"nonsense","data":{}}']
    for value in bad:
        await world.publish_raw("contact.created", value, key=b"k", headers=[("blob", b"\xff\x00"), ("none", None)])
        await world.publish(ana())
    await world.until(lambda: len(world.dead) == len(bad) and len(world.sends("ana")) == 1)
    by_offset = sorted(world.dead, key=lambda record: dict(record.headers)["dlq-offset"])
    assert {record.value for record in by_offset} == set(bad)
    for record in world.dead:
        assert record.key == b"k"
        assert record.headers[:2] == (("blob", b"\xff\x00"), ("none", None))
    reasons = sorted(dict(record.headers)["dlq-reason"].decode() for record in world.dead)
    assert reasons == ["no_value", "not_cloudevent", "not_json", "unknown_type"]


async def test_an_operator_sees_pauses_and_resumes(world: World) -> None:
    await world.apply(SLOW)
    await world.publish(ana())
    await world.until(lambda: len(world.sends("ana")) == 1)
    assert "active" in await world.run("status", "ana", "--company", ACME)
    await world.run("pause", "onboarding", "--company", ACME, "--reason", "holidays")
    await world.until(lambda: world.kinds("ana")[-1] == "cadence.enrollment.paused")
    assert "paused" in await world.run("status", "ana", "--company", ACME)
    await world.run("resume", "onboarding", "--company", ACME)
    await world.until(lambda: world.kinds("ana")[-1] == "cadence.enrollment.resumed")
    shown = await world.run("status", "ana", "--company", ACME)
    assert PHONE not in shown


async def test_a_flood_on_one_topic_does_not_hold_up_replies(world: World) -> None:
    await world.apply(SLOW.replace("PT0S", "P1D"))
    await world.publish(ana())
    await world.until(lambda: world.kinds("ana") == ["cadence.enrollment.started"])
    flood = [ContactCreated(company_id=ACME, contact_id=f"c{n}", name="C") for n in range(20_000)]
    await world.publish(*flood)
    await world.publish(MessageReceived(company_id=ACME, contact_id="ana"))
    await world.until(lambda: world.kinds("ana")[-1] == "cadence.enrollment.cancelled", within=10)
    started = sum(isinstance(told.event, EnrollmentStarted) for told in world.told)
    assert started < len(flood), "the flood was over before the reply came: this shows nothing"


async def test_silent_contacts_are_won_back_once(world: World) -> None:
    """Silence cannot be waited for, so here the messages carry their producer's clock."""
    await world.producers_clock("message.received")
    await world.run("company", "set", "--company", ACME, "--inactive-days", "5", "--detector-hour", "0")
    six_days_ago = datetime.now(UTC) - timedelta(days=6)
    await world.publish(ana())
    await world.publish(MessageReceived(company_id=ACME, contact_id="ana", direction="outbound"), at=six_days_ago)
    await world.publish(MessageReceived(company_id=ACME, contact_id="bia"))
    for contact_id in ("ana", "bia"):
        while not await _has_a_message(world, contact_id):  # the day's one run begins as soon as there is a cadence
            pass
    await world.apply(
        QUICK.replace("{event: contact.created}", "{event: inactivity}").replace("onboarding", "win-back")
    )
    await world.until(lambda: "cadence.enrollment.completed" in world.kinds("ana"), within=60)
    started = world.of("ana")[0].event
    assert isinstance(started, EnrollmentStarted)
    assert started.trigger == "inactivity"
    assert world.kinds("bia") == []
    assert len(world.sends("ana")) == 3


async def _has_a_message(world: World, contact_id: str) -> bool:
    try:
        shown = json.loads(await world.run("status", contact_id, "--company", ACME, "--json"))
    except DevstackError:  # not known yet
        return False
    return shown["contact"]["last_message_at"] is not None
