"""Every kind of thing is done once, and each process's /metrics tell it, and nobody's data."""

import asyncio
import operator
import re
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from time import monotonic

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from cadence_contracts.inbound import ContactCreated, MessageReceived, PurchaseCompleted
from cadence_engine.devstack.fleet import Api, EngineProcess, Fleet
from tests.deploy.monitoring import asked, grouped_by, queries
from tests.journeys.conftest import ACME, PHONE, WITHIN, World

CADENCES = """
key: onboarding
name: Welcome
trigger: {event: contact.created}
steps:
  - {key: welcome, wait: PT0S, template: {id: t1}}
---
key: upsell
name: More
trigger: {event: purchase.completed}
steps:
  - {key: thanks, wait: P1D, template: {id: t2}}
---
key: reactivation
name: Come back
trigger: {event: inactivity}
steps:
  - {key: miss, wait: P1D, template: {id: t3}}
"""

Sample = tuple[str, frozenset[tuple[str, str]]]
Samples = dict[Sample, float]


@pytest.fixture
def engine_environment() -> Mapping[str, str]:
    return {"CADENCE_MEASURE_EVERY": "0.5"}


def sample(name: str, **labels: str) -> Sample:
    return name, frozenset(labels.items())


def metrics_of(process: EngineProcess) -> Samples:
    with urllib.request.urlopen(f"http://{process.address}/metrics") as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        text = answer.read().decode()
    for private in (PHONE, ACME, "ana", "bob", "cid"):
        assert not re.search(rf"\b{re.escape(private)}\b", text), private
    return {
        sample(each.name, **each.labels): each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
    }


async def shows(process: EngineProcess, expected: Samples, fits: Callable[[float, float], bool] = operator.eq) -> None:
    """Wait until the process shows all of this."""
    deadline = monotonic() + WITHIN
    while True:
        seen = await asyncio.to_thread(metrics_of, process)
        wrong = {which: seen.get(which) for which, value in expected.items() if not fits(seen.get(which, -1), value)}
        if not wrong:
            return
        assert monotonic() < deadline, wrong
        await asyncio.sleep(0.1)


def asked_in_vain(query: str, shown: Iterable[Sample]) -> set[str]:
    """What a query asks for that no process shows: a metric with the labels by which it is selected, or a label."""
    labels_of: dict[str, set[str]] = defaultdict(set)
    for name, labels in shown:
        labels_of[name] |= {label for label, _ in labels}
    metrics = asked(query)
    there = set[str]().union(*(labels_of[each.name] for each in metrics if each.name in labels_of))
    missing = {each.name for each in metrics if each.name not in labels_of or not each.labels <= labels_of[each.name]}
    return missing | (grouped_by(query) - there)


async def told_by(api: Api) -> None:
    async with aiohttp.ClientSession() as session:
        await session.get(f"{api.url}/health/live")
        await session.delete(f"{api.url}/nowhere/ana")
    requests = "cadence_api_requests_total"
    await shows(
        api,
        {
            sample(requests, method="GET", route="/health/live", status="200"): 1.0,
            sample(requests, method="-", route="-", status="404"): 1.0,
            sample("cadence_api_request_seconds_count", method="GET"): 1.0,
            sample("cadence_pool_connections_limit", pool="companies"): 4.0,
        },
    )


async def test_one_of_each_thing_is_seen(world: World) -> None:
    await world.run("company", "set", "--company", ACME, "--detector-hour", "0")
    await world.apply(CADENCES)
    ana = ContactCreated(company_id=ACME, contact_id="ana", phone=PHONE)
    await world.publish(ana, ContactCreated(company_id=ACME, contact_id="bob"))
    await world.until(lambda: "cadence.enrollment.completed" in world.kinds("ana"))
    await world.publish(ana)
    await world.publish(PurchaseCompleted(company_id=ACME, contact_id="ana", purchase_id="p1"))
    await world.until(lambda: world.kinds("ana").count("cadence.enrollment.started") == 2)
    await world.publish(MessageReceived(company_id=ACME, contact_id="ana", message_id="m1"))
    await world.publish_raw("message.received", b"no JSON")
    await world.until(lambda: "cadence.enrollment.cancelled" in world.kinds("ana") and bool(world.dead))
    await world.run("halt", "--all", "--reason", "a look at the gauges")

    records = "cadence_records_total"
    await shows(
        world.consumer,
        {
            sample("cadence_enrollments_started_total"): 3.0,
            sample("cadence_enrollments_refused_total", reason="reentry"): 1.0,
            sample("cadence_enrollments_cancelled_total", reason="replied"): 1.0,
            sample("cadence_enrollments_cancelled_total", reason="opted_out"): 0.0,
            sample(records, topic="contact.created", outcome="applied"): 3.0,
            sample(records, topic="message.received", outcome="applied"): 1.0,
            sample(records, topic="message.received", outcome="dead"): 1.0,
            sample("cadence_dead_letters_total", topic="message.received", reason="not_json"): 1.0,
            sample("cadence_page_failures_total", topic="message.received"): 0.0,
            sample("cadence_consumer_lag_records", topic="contact.created"): 0.0,
            sample("cadence_held_partitions", topic="contact.created"): 0.0,
            sample("cadence_ready"): 1.0,
        },
    )
    await shows(
        world.worker,
        {
            sample("cadence_sends_total"): 1.0,
            sample("cadence_enrollments_completed_total"): 1.0,
            sample("cadence_enrollments_parked_total", reason="unreachable"): 1.0,
            sample("cadence_parked_enrollments", reason="unreachable"): 1.0,
            sample("cadence_parked_enrollments", reason="internal_error"): 0.0,
            sample("cadence_step_lateness_seconds_count"): 2.0,
            sample("cadence_step_lateness_seconds_bucket", le="+Inf"): 2.0,
            sample("cadence_steps_held", reason="halted"): 1.0,
            sample("cadence_steps_held", reason="replies_behind"): 0.0,
            sample("cadence_halted"): 1.0,
            sample("cadence_due_steps"): 0.0,
            sample("cadence_unpublished_batches"): 0.0,
            sample("cadence_detector_runs_total", outcome="finished"): 1.0,
            sample("cadence_loop_failures_total", loop="sweep"): 0.0,
        },
    )
    await shows(
        world.relay,
        {
            sample("cadence_relay_leading"): 1.0,
            sample("cadence_relay_events_total", type="whatsapp.send.requested"): 1.0,
            sample("cadence_relay_events_total", type="cadence.dead-letter"): 1.0,
            sample("cadence_relay_events_total", type="cadence.enrollment.cancelled"): 1.0,
        },
    )
    above = {
        world.consumer: ["cadence_page_seconds_count"],
        world.worker: ["cadence_step_batch_seconds_count", "cadence_watermark_lag_seconds"],
        world.relay: ["cadence_relay_transactions_total", "cadence_relay_transaction_seconds_count"],
    }
    for process, names in above.items():
        more = [sample("cadence_pool_connections_limit", pool="process"), sample("process_resident_memory_bytes")]
        await shows(process, dict.fromkeys([*map(sample, names), *more], 0.0), operator.gt)

    with Fleet(world.directory / "api", world.environment, [Api]) as beside:
        await asyncio.to_thread(beside.start)
        [api] = beside.processes
        assert isinstance(api, Api)
        await told_by(api)
        everything = [each for process in (*world.fleet.processes, api) for each in metrics_of(process)]
    for query in queries():
        unanswered = asked_in_vain(query, everything)
        assert not unanswered, f"{query}: no process shows {unanswered}"
    assert asked_in_vain("max by (moon) (cadence_due_steps{sun='up'})", everything)


async def test_a_backlog_is_told_with_its_age(world: World) -> None:
    await world.apply(CADENCES)
    await world.run("halt", "--all", "--reason", "to see what waits")
    await world.publish(ContactCreated(company_id=ACME, contact_id="ana", phone=PHONE))

    await shows(world.worker, {sample("cadence_due_steps"): 1.0})
    await shows(world.worker, {sample("cadence_oldest_due_step_age_seconds"): 0.1}, operator.gt)
    await asyncio.to_thread(world.relay.stop)
    await world.publish(ContactCreated(company_id=ACME, contact_id="bob", phone=PHONE))

    await shows(world.worker, {sample("cadence_due_steps"): 2.0, sample("cadence_unpublished_batches"): 1.0})
    await shows(world.worker, {sample("cadence_oldest_unpublished_batch_age_seconds"): 0.1}, operator.gt)
    await asyncio.to_thread(world.relay.start)
    await shows(world.worker, {sample("cadence_unpublished_batches"): 0.0})
