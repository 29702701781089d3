"""What the engine does when its processes and servers are hurt in the middle of the work."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from cadence_contracts.inbound import ContactCreated, MessageReceived
from cadence_engine.devstack.fleet import Consumer, EngineProcess, Relay, Worker
from cadence_engine.devstack.servers import Servers
from tests.journeys.conftest import ACME, PHONE, World, twice

CADENCE = """
key: onboarding
name: Welcome
trigger: {event: contact.created}
steps:
  - {key: one, wait: PT0S, template: {id: t1}}
  - {key: two, wait: PT1S, template: {id: t2}}
  - {key: three, wait: PT1S, template: {id: t3}}
"""
CONTACTS = 300


def contacts(count: int = CONTACTS) -> list[ContactCreated]:
    return [ContactCreated(company_id=ACME, contact_id=f"c{n}", phone=PHONE) for n in range(count)]


@pytest.mark.parametrize("kind", [Consumer, Worker, Relay])
async def test_killing_a_process_loses_and_repeats_nothing(world: World, kind: type[EngineProcess]) -> None:
    await world.apply(CADENCE)
    await world.publish(*contacts())
    victim = world.process(kind)
    for sends in (1, CONTACTS, 2 * CONTACTS):
        await world.until(lambda sends=sends: len(world.sends()) >= sends or victim.ended)  # type: ignore[misc]
        await asyncio.to_thread(victim.kill)
        await asyncio.to_thread(victim.start)
    await world.until(lambda: len(world.sends()) >= 3 * CONTACTS)
    assert not twice(world.told)
    for n in range(CONTACTS):
        assert [send.step_key for send in world.sends(f"c{n}")] == ["one", "two", "three"]


async def test_a_frozen_worker_or_relay_that_wakes_up_beside_a_rival_repeats_nothing(world: World) -> None:
    await world.apply(CADENCE)
    rivals = [kind(world.directory / f"rival-{kind.name}", world.environment) for kind in (Worker, Relay)]
    try:
        for rival in rivals:
            await asyncio.to_thread(rival.start)
        await world.publish(*contacts())
        await world.until(lambda: len(world.sends()) >= 1)
        for frozen in (world.worker, world.relay):
            frozen.pause()
        await world.until(lambda: len(world.sends()) >= 2 * CONTACTS)
        for frozen in (world.worker, world.relay):
            frozen.resume()
        await world.until(lambda: len(world.sends()) >= 3 * CONTACTS)
        assert not twice(world.told)
    finally:
        for rival in rivals:
            await asyncio.to_thread(rival.stop)


async def test_no_step_is_decided_while_the_consumer_is_down_and_the_reply_wins(world: World) -> None:
    await world.apply(CADENCE.replace("PT1S", "PT3S", 1))
    await world.publish(*contacts(2))
    await world.until(lambda: len(world.sends()) == 2)
    await asyncio.to_thread(world.consumer.kill)
    await world.publish(MessageReceived(company_id=ACME, contact_id="c0"))
    replied_at = datetime.now(UTC)
    # Both are due in three seconds; the gate closes five seconds after the consumer's death.
    await asyncio.to_thread(world.consumer.start)
    await world.until(lambda: len(world.sends("c1")) == 3)
    await world.until(lambda: world.kinds("c0")[-1] == "cadence.enrollment.cancelled")
    assert [send for send in world.sends("c0") if send.due_at >= replied_at] == []


async def test_steps_go_on_without_valkey(world: World, servers: Servers) -> None:
    assert servers.valkey is not None
    await world.apply(CADENCE)
    await world.publish(*contacts(5))
    await world.until(lambda: len(world.sends()) >= 5)
    await asyncio.to_thread(servers.valkey.kill)
    try:
        await world.until(lambda: len(world.sends()) == 15)
    finally:
        await asyncio.to_thread(servers.valkey.start)
    assert world.lateness < timedelta(seconds=5)
    assert not twice(world.told)


async def test_a_restart_of_every_server_is_waited_out(world: World, servers: Servers) -> None:
    assert servers.kafka is not None
    assert servers.postgres is not None
    await world.apply(CADENCE)
    await world.publish(*contacts(50))
    await world.until(lambda: len(world.sends()) >= 50)
    await asyncio.to_thread(servers.postgres.restart)
    await world.publish(MessageReceived(company_id=ACME, contact_id="somebody"))
    await world.until(lambda: len(world.sends()) == 150)
    assert not twice(world.told)
    assert world.fleet.ended() is None
