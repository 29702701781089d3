"""Enrolling, cancelling and asking about a contact, from the command line."""

from redis.asyncio import Redis

from cadence_engine.devstack.servers import Servers
from cadence_engine.storage.connection import Pool
from tests.cli.conftest import Cli, Known

GREETING = """
key: greeting
name: Greeting
trigger: {event: api}
reentry: never
steps:
  - {key: hello, wait: P1D, template: {id: hello_1, variables: {what: {from: context.product, else: it}}}}
  - {key: bye, wait: P2D, template: {id: bye_1}}
"""


def enrollment_of(out: str) -> str:
    return out.split(": ")[1].split(",")[0].split(";")[0]


async def test_a_contact_is_enrolled_once_asked_about_and_cancelled(cli: Cli, known: Known) -> None:
    await known("ana")
    await cli.fine("apply", "-", stdin=GREETING)
    enrolled = await cli.fine("enroll", "greeting", "ana", "--context", "product=a=b")
    assert enrolled.out.startswith("enrolled: ")
    enrollment = enrollment_of(enrolled.out)
    again = await cli.fine("enroll", "greeting", "ana")
    assert again.out == f"enrolled before: {enrollment}; nothing changed\n"

    told = (await cli.fine("status", "ana", "--json")).json
    (passage,) = told["passages"]
    assert (passage["step_key"], passage["steps"]) == ("hello", 2)
    assert passage["enrollment"]["status"] == "active"
    assert passage["enrollment"]["context"] == {"product": "a=b"}
    assert told["contact"]["phone"] == "+55…1234"
    assert told["gate"]["held"] == "replies_behind"

    cancel = "enrollment", "cancel", enrollment
    assert (await cli.fine(*cancel, "--reason", "called us")).out == "greeting of ana: cancelled\n"
    assert (await cli.fine(*cancel)).out == "it is so already; nothing changed\n"

    read = (await cli.fine("status", "ana")).out
    assert "+55…1234" in read
    assert "99999" not in read
    happened = [line for line in read.splitlines() if "(by olga)" in line]
    assert "started by api, first step" in happened[0]
    assert "cancelled: operator: called us" in happened[1]
    assert "No step runs now (replies_behind): replies are not applied up to now: is the consumer running" in read


async def test_refusals_say_the_rule_and_what_to_do(cli: Cli, known: Known, pool: Pool) -> None:
    await cli.fine("apply", "-", stdin=GREETING)
    await known("ana")
    await known("bob", company="other")

    async def refused(*arguments: str) -> str:
        said = await cli(*arguments)
        assert said.code == 1, said
        assert said.out == ""
        return said.err

    assert await refused("enroll", "greting", "ana") == "acme has no cadence `greting`; it has greeting\n"
    assert "(contact_not_found): the company has no such contact" in await refused("enroll", "greeting", "bob")
    assert "(lead_not_found)" in await refused("enroll", "greeting", "ana", "--lead", "l-1")
    assert "(conversation_not_found)" in await refused("enroll", "greeting", "ana", "--conversation", "c-1")
    await pool.execute("UPDATE contacts SET opted_out = true, opted_out_at = now() WHERE contact_id = 'ana'")
    assert "(opted_out)" in await refused("enroll", "greeting", "ana")
    nobody = "0190a0b0-0000-7000-8000-000000000000"
    assert f"acme has no enrollment {nobody}" in await refused("enrollment", "cancel", nobody)
    assert "acme has no contact bob" in await refused("status", "bob")

    told = (await cli.fine("status", "ana")).out
    assert "not enrolled: the contact does not want marketing (by olga)" in told


async def test_another_company_sees_nothing(cli: Cli, known: Known) -> None:
    await known("ana")
    await cli.fine("apply", "-", stdin=GREETING)
    enrollment = enrollment_of((await cli.fine("enroll", "greeting", "ana")).out)
    assert (await cli("enrollment", "cancel", enrollment, "--company", "other")).code == 1
    assert (await cli("status", "ana", "--company", "other")).code == 1
    assert (await cli("show", "greeting", "--company", "other")).err == (
        "other has no cadence at all: see `cadence-engine apply`\n"
    )
    assert (await cli.fine("list", "--json", "--company", "other")).json == []


async def test_a_version_in_flight_stays_when_another_is_published(cli: Cli, known: Known) -> None:
    await known("ana", "bob")
    await cli.fine("apply", "-", stdin=GREETING)
    await cli.fine("enroll", "greeting", "ana")
    await cli.fine("apply", "-", stdin=GREETING.replace("key: hello", "key: hi"))
    await cli.fine("enroll", "greeting", "bob")
    steps = {}
    for contact in ("ana", "bob"):
        (passage,) = (await cli.fine("status", contact, "--json")).json["passages"]
        steps[contact] = (passage["enrollment"]["version"], passage["step_key"])
    assert steps == {"ana": (1, "hello"), "bob": (2, "hi")}


async def test_what_is_due_at_once_wakes_a_worker(cli: Cli, known: Known, servers: Servers) -> None:
    await known("ana")
    await cli.fine("apply", "-", stdin=GREETING.replace("P1D", "PT0S"))
    prefix = f"wake-{enrollment_of('x: y')}-{id(cli)}."
    said = await cli("enroll", "greeting", "ana", REDIS_URL=servers.addresses.redis_url, CADENCE_TOPIC_PREFIX=prefix)
    assert said.code == 0
    async with Redis.from_url(servers.addresses.redis_url) as redis:
        assert [key async for key in redis.scan_iter(f"*{prefix}*")]
