"""Who receives a send finds its way back to the record that began it, however long ago that was."""

from collections.abc import AsyncIterator, Mapping

import pytest
import pytest_asyncio

from cadence_contracts.inbound import ContactCreated
from tests.collector import Collector, collecting, context_of
from tests.journeys.conftest import ACME, PHONE, World

CADENCE = """
key: onboarding
name: Welcome
trigger: {event: contact.created}
steps:
  - {key: welcome, wait: PT0S, template: {id: t1}}
  - {key: help, wait: PT1S, template: {id: t2}}
"""
CREATED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
NOT_SAMPLED = "00-4bf92f3577b34da6a3ce929d0e0e4737-00f067aa0ba902b8-00"
ORIGIN = context_of(CREATED)


@pytest_asyncio.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as collector:
        yield collector


@pytest.fixture
def engine_environment(collector: Collector) -> Mapping[str, str]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "100"}


async def test_a_send_leads_back_to_the_record_that_began_it(world: World, collector: Collector) -> None:
    await world.apply(CADENCE)
    await world.publish(a_contact("ana"), headers=[("traceparent", CREATED.encode())])
    await world.publish(a_contact("bob"), headers=[("traceparent", NOT_SAMPLED.encode())])
    await world.publish(a_contact("cid"), headers=[("traceparent", b"\xff\x00")])
    await world.until(lambda: all(world.kinds(who)[-1:] == ["cadence.enrollment.completed"] for who in TRACED_OR_NOT))
    await world.until(lambda: all(len(world.sends(who)) == 2 for who in TRACED_OR_NOT))

    told = world.of("ana")
    sent = [await collector.span(context_of(one.traceparent or "")) for one in told]
    assert len({span.context[0] for span in sent} | {ORIGIN[0]}) == len(told) + 1, "a trace of its own for each record"
    for record, span in zip(told, sent, strict=True):
        assert span.service == "cadence-engine-relay"
        assert span.name == f"send {record.event.event_type}"
        assert span.attributes["messaging.message.id"] == record.event_id
        assert span.attributes["cadence.company_id"] == ACME
        assert span.parent == ""
        began, decided = span.links
        assert began == ORIGIN
        transaction = await collector.span(decided)
        assert ORIGIN in transaction.links
        by = "process contact.created" if record.event.event_type.endswith("started") else "run due steps"
        assert (transaction.name, transaction.failed) == (by, None)
    assert {span.service for span in collector.named("run due steps")} == {"cadence-engine-worker"}
    assert {one.traceparent for who in ("bob", "cid") for one in world.of(who)} == {None}
    await collector.until(lambda: published(collector) >= 3)
    assert nothing_of_people(collector)


TRACED_OR_NOT = ("ana", "bob", "cid")


def a_contact(who: str) -> ContactCreated:
    return ContactCreated(company_id=ACME, contact_id=who, name=f"{who} da Silva", phone=PHONE)


def published(collector: Collector) -> int:
    return sum(span.attributes["cadence.batches"] for span in collector.named("publish"))


def nothing_of_people(collector: Collector) -> bool:
    text = "".join(collector.raw)
    return bool(text) and not any(private in text for private in (PHONE, PHONE[1:], "Silva", '"ana"', '"bob"'))
