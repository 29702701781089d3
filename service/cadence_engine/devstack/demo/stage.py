"""Where the demo takes place: a database and topics of its own, so that it disturbs nobody on servers it was given."""

import asyncio
import contextlib
import uuid
from collections.abc import Iterator, Mapping

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy.engine import make_url

from cadence_engine.devstack.errors import DevstackError
from cadence_engine.devstack.servers import Addresses, Servers

PREFIX = "CADENCE_TOPIC_PREFIX"
# A race between a step and what it lacks is looked at again within a minute: too long for a demo.
SETTINGS = {"CADENCE_UPKEEP_EVERY": "2"}


@contextlib.contextmanager
def stage(servers: Servers) -> Iterator[Mapping[str, str]]:
    """The environment of the demo's processes. Its database and topics are removed at the end from the user's servers.

    Consumer groups stay behind there, and expire: Kafka's client here cannot delete them. Raises DevstackError where no
    database can be made.
    """
    run = uuid.uuid4().hex[:8]
    database, prefix = f"cadence_demo_{run}", f"demo-{run}."
    asyncio.run(_make_database(servers.addresses.database_url, database))
    url = make_url(servers.addresses.database_url).set(database=database).render_as_string(hide_password=False)
    addresses = Addresses(url, servers.addresses.redis_url, servers.addresses.kafka_bootstrap_servers)
    try:
        yield {**addresses.as_environment(), PREFIX: prefix, **SETTINGS}
    finally:
        # Embedded servers take everything with them.
        if servers.kafka is None:
            asyncio.run(_delete_topics(servers.addresses.kafka_bootstrap_servers, prefix))
        if servers.postgres is None:
            asyncio.run(_execute(servers.addresses.database_url, f'DROP DATABASE "{database}" WITH (FORCE)'))


async def _make_database(url: str, name: str) -> None:
    try:
        await _execute(url, f'CREATE DATABASE "{name}"')
    except (asyncpg.PostgresError, OSError) as error:
        raise DevstackError(
            f"The demo works in a database of its own, and cannot make one on the server of DATABASE_URL: {error}. "
            "Give it a user with CREATEDB, or unset DATABASE_URL for an embedded server."
        ) from error


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _delete_topics(bootstrap_servers: str, prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_topics([name for name in await admin.list_topics() if name.startswith(prefix)])
    finally:
        await admin.close()
