"""A campaign with everything that goes wrong in one: nobody's phone or name is where it may not be."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from cadence_contracts.inbound import ContactCreated, ContactDeleted, ContactUpdated, MessageReceived, PurchaseCompleted
from cadence_engine.devstack.errors import DevstackError
from cadence_engine.devstack.servers import Servers
from tests.collector import Collector, collecting
from tests.journeys.conftest import ACME, World

WELCOME = """
key: onboarding
name: Welcome
trigger: {event: contact.created}
steps:
  - {key: welcome, wait: PT0S, template: {id: t1, variables: {contactName: {from: contact.name, else: friend}}}}
  - {key: help, wait: P1D, template: {id: t2}}
"""
UPSELL = """
key: upsell
name: More
trigger: {event: purchase.completed}
steps:
  - {key: thanks, wait: PT0S, template: {id: t3, variables: {product: {from: context.product}}}}
  - {key: more, wait: P1D, template: {id: t4}}
"""
CART = UPSELL.replace("upsell", "cart").replace("purchase.completed", "cart.abandoned")

PHONES = {who: f"+55119876500{number:02}" for number, who in enumerate(("ana", "bia", "cleo", "dora", "nobody"))}
NAMES = {who: f"Qz{who.title()} Wojciechowska" for who in PHONES}
PRODUCT = "Qz-secret-product"
SECRETS = (*PHONES.values(), *(phone[1:] for phone in PHONES.values()), *NAMES.values(), "Wojciechowska", PRODUCT)


TRACED = [("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]


@pytest_asyncio.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as collector:
        yield collector


@pytest.fixture
def engine_environment(collector: Collector) -> Mapping[str, str]:
    return {
        "CADENCE_LOG_LEVEL": "debug",
        "CADENCE_UPKEEP_EVERY": "1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def test_phones_and_names_are_nowhere_in_what_a_campaign_writes(
    world: World, servers: Servers, collector: Collector, database: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    said: list[str] = []
    for definition in (WELCOME, UPSELL, CART):
        await world.apply(definition)

    await world.publish(a_contact("ana"), a_contact("bia"), headers=TRACED)
    bought = PurchaseCompleted(company_id=ACME, contact_id="cleo", purchase_id="p1", product=PRODUCT)
    await world.publish(bought, headers=TRACED)
    await world.until(lambda: "cadence.enrollment.parked" in world.kinds("cleo"))
    await world.publish(ContactUpdated(company_id=ACME, contact_id="cleo", name=NAMES["cleo"], phone=PHONES["cleo"]))
    await world.publish(MessageReceived(company_id=ACME, contact_id="bia", message_id="m1"))
    await world.until(lambda: all(len(world.sends(who)) == 1 for who in ("ana", "bia", "cleo")))
    letters = await bad_records(world)
    await world.until(lambda: len(world.dead) == letters)
    said += await errors(world, database)
    said += await commands(world)
    said += [await all_of_redis(servers, world.prefix)]
    said += await healths(world)

    erased_at = await database.fetchval("SELECT clock_timestamp()")
    await world.publish(ContactDeleted(company_id=ACME, contact_id="ana"))
    for who in ("bia", "cleo", "dora"):
        said += [await world.run("contact", "erase", who, "--company", ACME, "--reason", "ticket 7", "--yes")]
    await world.until(lambda: "cadence.enrollment.cancelled" in world.kinds("ana") and len(world.kinds("dora")) > 1)

    assert leaks("".join(log_of(world))) == {}
    await collector.until(lambda: {"process contact.created", "run due steps"} <= failed(collector))
    assert len(collector.named("send whatsapp.send.requested")) >= 3
    assert leaks("".join(collector.raw)) == {}
    assert leaks("".join(said)) == {}
    assert set(leaks(await all_rows(database))) == leaks_of_nobody()
    published = [told.event.model_dump_json() for told in world.told if told.at > erased_at]
    assert len(published) >= 3
    assert leaks("".join(published)) == {}


def a_contact(who: str) -> ContactCreated:
    return ContactCreated(company_id=ACME, contact_id=who, name=NAMES[who], phone=PHONES[who], tags=["vip"])


async def bad_records(world: World) -> int:
    """Of every kind, with personal data wherever it may stand; the last ones name nobody. How many there are."""
    ana = {"companyId": ACME, "contactId": "ana", "name": NAMES["ana"], "phone": PHONES["ana"]}
    event = {"specversion": "1.0", "id": "1", "source": "/crm", "type": "contact.created", "data": ana}
    nobody = f"{NAMES['nobody']};{PHONES['nobody']}".encode()
    bad: list[tuple[str, bytes]] = [
        ("contact.created", json.dumps(event | {"data": ana | {"name": [NAMES["ana"]]}}).encode()),
        ("contact.created", json.dumps(event | {"id": PHONES["ana"] * 30}).encode()),
        ("contact.created", json.dumps(event | {"type": NAMES["ana"]}).encode()),
        ("contact.created", json.dumps(ana).encode()),
        (
            "message.received",
            json.dumps(event | {"type": "message.received", "data": ana | {"direction": "?"}}).encode(),
        ),
        ("contact.created", nobody),
        ("message.received", b'{"phone": "' + PHONES["nobody"].encode() + b'"}'),
    ]
    for topic, value in bad:
        key = PHONES["nobody"].encode() if value.find(ACME.encode()) < 0 else b"ana"
        await world.publish_raw(topic, value, key=key, headers=[("who", value[:200])])
    # Understood, but for fields that are ignored and reported.
    ignored = ana | {PHONES["ana"]: [1], NAMES["ana"]: {"x": 1}, "timeZone": NAMES["ana"], "items": PHONES["ana"] * 100}
    cart = event | {"id": "c1", "type": "cart.abandoned", "data": ignored}
    await world.publish_raw("cart.abandoned", json.dumps(cart).encode(), key=b"ana")
    await world.publish_raw(
        "contact.updated",
        json.dumps(
            event | {"id": "u1", "type": "contact.updated", "data": ana | {"phone": "no " + PHONES["ana"]}}
        ).encode(),
    )
    return len(bad)


async def errors(world: World, database: "asyncpg.Connection[asyncpg.Record]") -> list[str]:
    """The database refuses whole rows of people, in the consumer and in the worker; what the processes say of it."""
    said: list[str] = []
    await database.execute("ALTER TABLE contacts ADD CONSTRAINT no_dora CHECK (contact_id <> 'dora')")
    await database.execute(
        "ALTER TABLE cadence_events ADD CONSTRAINT no_send CHECK (contact_id <> 'dora' OR type NOT LIKE 'whatsapp%')"
    )
    await world.publish(a_contact("dora"))
    await logged(world.consumer.log_tail, "page_failed")
    said += await healths(world)
    await database.execute("ALTER TABLE contacts DROP CONSTRAINT no_dora")
    await logged(world.worker.log_tail, "loop_failed")
    said += await healths(world)
    await database.execute("ALTER TABLE cadence_events DROP CONSTRAINT no_send")
    await world.until(lambda: len(world.sends("dora")) == 1)
    return said


def failed(collector: Collector) -> set[str]:
    """The names of spans that tell of an error."""
    return {span.name for span in collector.spans if span.failed}


async def logged(tail: Any, action: str) -> None:
    async with asyncio.timeout(30):
        while action not in tail():  # noqa: ASYNC110  # a file tells nobody
            await asyncio.sleep(0.1)


async def commands(world: World) -> list[str]:
    """What operators are told, names of the contact whom they ask about aside."""
    said = [await world.run("status", "ana", "--company", ACME, "--json")]
    said = [line.replace(NAMES["ana"], "") for line in said]
    listed = await world.run("dead-letters", "list", "--all-companies", "--json")
    said += [listed, await world.run("dead-letters", "list", "--all-companies")]
    for line in json.loads(listed)["letters"]:
        place = f"{line['topic']}/{line['partition']}/{line['offset']}"
        said.append(await world.run("dead-letters", "show", place, "--all-companies"))
    said.append(await world.run("dead-letters", "replay", "--company", ACME, "--yes"))
    for refused in (
        ("status", "nobody"),
        ("enroll", "onboarding", "nobody"),
        ("enroll", "onboarding", "bia", "--lead", "l"),
    ):
        with pytest.raises(DevstackError) as error:
            await world.run(*refused, "--company", ACME)
        said.append(str(error.value))
    return said


async def healths(world: World) -> list[str]:
    return [await asyncio.to_thread(health, process.address) for process in world.fleet.processes]


def health(address: str) -> str:
    try:
        with urllib.request.urlopen(f"http://{address}/health/ready", timeout=5) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as unready:
        return unready.read().decode()


async def all_of_redis(servers: Servers, prefix: str) -> str:
    async with Redis.from_url(servers.addresses.redis_url) as redis:
        keys = [key async for key in redis.scan_iter("*") if prefix.encode() in key]
        return str([(key, await redis.dump(key)) for key in keys])


def log_of(world: World) -> Iterable[str]:
    logs = [process.log.read_text() for process in world.fleet.processes]
    assert all('"level":"debug"' in log for log in logs[:1])
    return logs


async def all_rows(database: "asyncpg.Connection[asyncpg.Record]") -> str:
    tables = await database.fetch("SELECT relid::regclass::text FROM pg_stat_user_tables")
    rows = [await database.fetch(f"SELECT whole::text FROM {table} AS whole") for (table,) in tables]  # noqa: S608
    return "\n".join(str(row[0]) for table in rows for row in table)


def leaks(text: str) -> dict[str, str]:
    """The secrets in it, as they are or as PostgreSQL shows bytes, each with what stands around it."""
    found = {}
    for secret in SECRETS:
        for shape in (secret, secret.encode().hex()):
            if (place := text.find(shape)) >= 0:
                found[secret] = text[max(0, place - 100) : place + 100]
    return found


def leaks_of_nobody() -> set[str]:
    """What is in letters that name nobody, whom nobody can be erased from."""
    name, phone = NAMES["nobody"], PHONES["nobody"]
    return {secret for secret in SECRETS if secret in f"{name} {phone}"}
