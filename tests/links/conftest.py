"""The three servers, secured: one guarded Kafka, and TLS in front of the session's PostgreSQL and Valkey."""

import os
import re
import secrets
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from redis.asyncio import Redis
from sqlalchemy.engine import make_url

from cadence_contracts import topics
from cadence_engine.bus.topics import admin, create_topics
from cadence_engine.devstack import jars
from cadence_engine.devstack.servers import Servers
from cadence_engine.settings import Settings
from tests.deploy.conftest import go_tools
from tests.links.certificates import Authority, Pair
from tests.links.rights import GUIDE, Right, give, rights
from tests.links.secured_kafka import SecuredKafka
from tests.links.terminator import Terminator, serving
from tests.processes.conftest import Commands

__all__ = ["go_tools"]  # the chart's tests ask for it

PROCESSES: Final = ("topics", "consumer", "relay")
ALL: Final = "engine"
"""Has the rights of all processes."""
CRM: Final = "crm"
NOBODY: Final = "nobody"
"""Has a password, and no right at all."""


@dataclass(frozen=True)
class Secured:
    """Where the servers are, and what one needs to be let in."""

    authority: Authority
    ours: Pair
    """The certificate that is shown to PostgreSQL and Valkey."""
    prefix: str
    kafka: SecuredKafka
    passwords: dict[str, str]
    postgres: Terminator
    valkey: Terminator
    valkey_user: tuple[str, str]

    def environment(self, database_url: str, user: str = ALL) -> dict[str, str]:
        """A process's, all links encrypted; `user` is Kafka's."""
        name, password = self.valkey_user
        ca = str(self.authority.certificate)
        return {
            "DATABASE_URL": through(self.postgres.address, database_url),
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": ca,
            "PGSSLCERT": str(self.ours.certificate),
            "PGSSLKEY": str(self.ours.key),
            "REDIS_URL": f"rediss://{name}:{password}@{self.valkey.address}/0",
            "REDIS_CA_FILE": ca,
            "REDIS_CERTIFICATE_FILE": str(self.ours.certificate),
            "REDIS_KEY_FILE": str(self.ours.key),
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.sasl_servers,
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_USERNAME": user,
            "KAFKA_SASL_PASSWORD": self.passwords[user],
            "KAFKA_CA_FILE": ca,
            "CADENCE_TOPIC_PREFIX": self.prefix,
        }

    def settings(self, database_url: str = "postgresql://nowhere/db", user: str = ALL, **changed: str) -> Settings:
        """The same for use here."""
        given = {**self.environment(database_url, user), **changed}
        prefix = given.pop("CADENCE_TOPIC_PREFIX")
        return Settings(**given, topic_prefix=prefix)  # type: ignore[arg-type]  # as the environment has them: text

    def by_certificate(self, pair: Pair, **changed: str) -> Settings:
        """Kafka's other listener, which knows users by their certificates."""
        return Settings(
            DATABASE_URL="postgresql://nowhere/db",
            topic_prefix=self.prefix,
            **{
                "KAFKA_BOOTSTRAP_SERVERS": self.kafka.certificate_servers,
                "KAFKA_SECURITY_PROTOCOL": "SSL",
                "KAFKA_CA_FILE": str(self.authority.certificate),
                "KAFKA_CERTIFICATE_FILE": str(pair.certificate),
                "KAFKA_KEY_FILE": str(pair.key),
                **changed,
            },  # type: ignore[arg-type]  # as the environment has them: text
        )


def through(address: str, url: str) -> str:
    """The same URL, by way of another address."""
    host, port = address.split(":")
    return make_url(url).set(host=host, port=int(port)).render_as_string(hide_password=False)


@pytest_asyncio.fixture(scope="package")
async def secured(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Secured]:
    assert servers.postgres is not None
    assert servers.valkey is not None
    directory = tmp_path_factory.mktemp("secured")
    authority = Authority(directory / "authority")
    prefix = f"t{uuid.uuid4().hex[:8]}."
    passwords = {user: secrets.token_urlsafe(12) for user in (*PROCESSES, ALL, CRM, NOBODY)}
    class_path = jars.fetch(jars.committed_jars(), jars.cache_directory())
    kafka = SecuredKafka(directory / "kafka", class_path, authority, passwords)
    postgres = Terminator(servers.postgres.port, authority, asked_first=True)
    valkey = Terminator(servers.valkey.port, authority, asked_first=False)
    kafka.start()
    try:
        with serving(postgres, valkey):
            async with _valkey_user(servers.addresses.redis_url) as user:
                secured = Secured(
                    authority, authority.client("cadence"), prefix, kafka, passwords, postgres, valkey, user
                )
                await _give_rights(secured)
                yield secured
    finally:
        kafka.stop()


async def _give_rights(secured: Secured) -> None:
    administrator = Settings(DATABASE_URL="postgresql://x/x", KAFKA_BOOTSTRAP_SERVERS=secured.kafka.bootstrap_servers)
    wanted = [(user, right) for right in rights() for user in (right.process, ALL)]
    wanted.append((CRM, Right(CRM, "topic", topics.INBOUND, ("Write",))))
    wanted.append((CRM, Right(CRM, "topic", (topics.OUTBOUND,), ("Read",))))
    async with admin(administrator) as client:
        await give(client, secured.prefix, wanted)


@asynccontextmanager
async def _valkey_user(url: str) -> AsyncIterator[tuple[str, str]]:
    """Made by the guide's own command, under a name of this run's."""
    name, password = f"cadence-{uuid.uuid4().hex[:8]}", secrets.token_urlsafe(12)
    found = re.search(r"^ACL SETUSER cadence on >password (.+)$", GUIDE.read_text(), re.MULTILINE)
    assert found
    async with Redis.from_url(url) as redis:
        await redis.execute_command("ACL", "SETUSER", name, "on", f">{password}", *found[1].split())
        yield name, password
        await redis.execute_command("ACL", "DELUSER", name)


@pytest_asyncio.fixture(scope="package")
async def made_topics(secured: Secured) -> list[str]:
    """The topics, made by a user who may do nothing else."""
    return await create_topics(secured.settings(user="topics"), partitions=2, replication=1)


@pytest.fixture
def commands(secured: Secured, made_topics: list[str], database_url: str, tmp_path: Path) -> Iterator[Commands]:
    """Processes with secured links, and nothing else of this environment's."""
    commands = Commands(
        {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "PYTHONUNBUFFERED": "1",
            "CADENCE_API_PORT": "0",
            **secured.environment(database_url),
        },
        tmp_path,
    )
    yield commands
    commands.kill_all()
