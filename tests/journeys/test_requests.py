"""A service that speaks only Kafka enrolls and cancels; the company is halted meanwhile, and at last it is deleted."""

import asyncio
import json

from cadence_contracts.inbound import CompanyDeleted, ContactUpdated, EnrollmentCancelRequested, EnrollmentRequested
from cadence_contracts.outbound import EnrollmentCancelled, EnrollmentStarted
from tests.journeys.conftest import ACME, PHONE, WITHIN, World, twice

OFFER = """
key: offer
name: Offer
trigger: {event: api}
steps:
  - {key: offer, wait: PT0S, template: {id: t1, variables: {product: {from: context.product}}}}
  - {key: remind, wait: P1D, template: {id: t2}}
"""


def wanted(contact_id: str) -> EnrollmentRequested:
    return EnrollmentRequested(
        company_id=ACME, contact_id=contact_id, cadence_key="offer", context={"product": "starter"}
    )


async def test_requests_by_events_and_a_halt(world: World) -> None:
    await world.apply(OFFER)
    people = ("ana", "bia", "clara")
    await world.publish(*(ContactUpdated(company_id=ACME, contact_id=who, phone=PHONE) for who in people))
    await world.publish(wanted("ana"))
    await world.until(lambda: len(world.sends("ana")) == 1)
    started, send = world.of("ana")[0].event, world.sends("ana")[0]
    assert isinstance(started, EnrollmentStarted)
    assert (started.trigger, send.template.variables["product"]) == ("enrollment.requested", "starter")

    await world.run("halt", "--company", ACME, "--reason", "wrong template")
    await world.publish(wanted("bia"), wanted("clara"))
    await world.until(lambda: all(world.kinds(who) == ["cadence.enrollment.started"] for who in ("bia", "clara")))
    await world.publish(
        EnrollmentCancelRequested(company_id=ACME, contact_id="ana", enrollment_id=started.enrollment_id),
        EnrollmentCancelRequested(company_id=ACME, contact_id="bia", cadence_key="offer", reason="she called"),
    )
    await world.until(lambda: all(world.kinds(who)[-1].endswith("cancelled") for who in ("ana", "bia")))
    told = world.of("bia")[-1].event
    assert isinstance(told, EnrollmentCancelled)
    assert (told.reason, told.note) == ("requested", "she called")
    assert world.sends("bia") == world.sends("clara") == []
    (halt,) = json.loads(await world.run("status", "clara", "--company", ACME, "--json"))["halts"]
    assert halt["reason"] == "wrong template"

    await world.run("unhalt", "--company", ACME)
    await world.until(lambda: len(world.sends("clara")) == 1)
    assert world.sends("bia") == []

    await world.publish(CompanyDeleted(company_id=ACME))
    async with asyncio.timeout(WITHIN):
        while "erasure" not in json.loads(await world.run("company", "show", "--company", ACME, "--json")):
            pass
    await world.publish(wanted("ana"))
    await world.until(lambda: world.kinds("ana").count("cadence.enrollment.started") == 2)
    assert len(world.sends("ana")) == 1
    assert not twice(world.told)
