"""An event goes in and a send comes out, each link encrypted, each process with no more rights than the guide lists."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import asyncpg
import pytest
import pytest_asyncio
from aiohttp import ClientSession
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from sqlalchemy.engine import make_url

from cadence_contracts import outbound, read_record, write_record
from cadence_contracts.inbound import ContactCreated
from cadence_contracts.outbound import SendRequested
from cadence_engine.bus import topics
from cadence_engine.devstack.ports import HOST
from cadence_engine.devstack.servers import Servers
from cadence_engine.links import kafka
from tests.links.conftest import CRM, Secured, through
from tests.links.rights import GUIDE
from tests.processes.conftest import Command, Commands

pytestmark = pytest.mark.timeout(300)  # whichever is first starts the servers

CADENCE = """
key: greet
name: Greet
trigger: {event: contact.created}
steps: [{key: hello, wait: PT0S, template: {id: t1, category: utility}}]
"""
MECHANISMS = {"consumer": "SCRAM-SHA-512", "relay": "SCRAM-SHA-256"}


async def test_from_a_new_contact_to_its_send(secured: Secured, commands: Commands, tmp_path: Path) -> None:
    (tmp_path / "greet.yaml").write_text(CADENCE)
    code, said = await commands.run("apply", str(tmp_path / "greet.yaml"), "--company", "acme")
    assert code == 0, said
    code, said = await commands.run("api-key", "create", "me", "--company", "acme", "--scope", "read")
    assert code == 0, said
    [key] = [line for line in said.splitlines() if " " not in line]
    running = [commands.start("worker"), commands.start("api")]
    for process, mechanism in MECHANISMS.items():
        user = {"KAFKA_SASL_USERNAME": process, "KAFKA_SASL_PASSWORD": secured.passwords[process]}
        running.append(commands.start(process, KAFKA_SASL_MECHANISM=mechanism, **user))
    for process_ in running:
        await process_.says(ready=True)

    crm = kafka.link(secured.settings(user=CRM))
    ana = write_record(
        ContactCreated(company_id="acme", contact_id="ana", name="Ana", phone="+5511999990000"),
        id=uuid.uuid4().hex,
        source="/crm",
    )._asdict()
    ana["topic"] = secured.prefix + ana["topic"]
    async with AIOKafkaProducer(**crm) as producer:
        await producer.send_and_wait(**ana)
    sends = AIOKafkaConsumer(
        f"{secured.prefix}whatsapp.outbound", **crm, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    async with asyncio.timeout(40), sends:
        record = await anext(sends)

    send = outbound.parse(read_record(record.value, record.headers))
    assert isinstance(send, SendRequested)
    assert (send.contact_id, send.step_key) == ("ana", "hello")
    await _call(running[1], key)
    for process_ in running:
        assert not {"hints", "waker", "rate_limit"} & set((await process_.says(ready=True))["degraded"])
    said = "".join(process_.output.read_text() for process_ in running)
    assert not [secret for secret in (*secured.passwords.values(), secured.valkey_user[1]) if secret in said]
    assert secured.postgres.in_clear == []


async def _call(api: Command, key: str) -> None:
    port = (await api.logs("api_serves"))["port"]
    headers = {"Authorization": f"Bearer {key}"}
    async with ClientSession(headers=headers) as session, session.get(f"http://{HOST}:{port}/v1/cadences") as answered:
        assert answered.status == 200


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"])
async def test_a_user_by_password(secured: Secured, made_topics: list[str], mechanism: str) -> None:
    settings = secured.settings(user="consumer", KAFKA_SASL_MECHANISM=mechanism)

    await topics.check(settings, topics.inbound(settings))


async def test_a_user_by_certificate(secured: Secured, made_topics: list[str]) -> None:
    ours = secured.authority.client("consumer")
    settings = secured.by_certificate(ours)

    await topics.check(settings, topics.inbound(settings))


@pytest_asyncio.fixture
async def own_role(secured: Secured, servers: Servers) -> AsyncIterator[str]:
    """The URL of a new database of the role that the guide makes, by the guide's own statements."""
    name = f"cadence_{secured.prefix.rstrip('.')}"
    section = GUIDE.read_text().partition("**PostgreSQL's rights.**")[2]
    guide = section.partition("```sql\n")[2].partition("```")[0]
    admin = await asyncpg.connect(servers.addresses.database_url)
    for statement in guide.splitlines()[1:]:  # the first role is there: it belongs to all databases of the server
        await admin.execute(re.sub(r"\bcadence\b", name, statement).replace("'..'", "'word'"))
    url = make_url(through(secured.postgres.address, servers.addresses.database_url))
    yield url.set(username=name, password="word", database=name).render_as_string(hide_password=False)
    await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await admin.execute(f'DROP ROLE "{name}"')
    await admin.close()


async def test_migrations_need_no_more_rights_and_understand_what_libpq_does(commands: Commands, own_role: str) -> None:
    options = {
        parameter: commands.environment.pop(variable)
        for parameter, variable in (
            ("sslmode", "PGSSLMODE"),
            ("sslrootcert", "PGSSLROOTCERT"),
            ("sslcert", "PGSSLCERT"),
            ("sslkey", "PGSSLKEY"),
        )
    }

    code, said = await commands.run("migrate", DATABASE_URL=f"{own_role}?{urlencode(options)}")

    assert code == 0, said
