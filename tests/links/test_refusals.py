"""Whoever is not who we mean, or does not let us in, is told apart in words, and gets nothing from us in clear."""

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import asyncpg
import pytest
from aiokafka.errors import KafkaError
from redis.exceptions import RedisError
from sqlalchemy.engine import make_url

from cadence_engine.bus import topics
from cadence_engine.devstack.ports import HOST
from cadence_engine.scheduling.wakeups import road
from cadence_engine.settings import Settings
from cadence_engine.storage import database
from cadence_engine.telemetry import describe
from tests.links.certificates import Authority
from tests.links.conftest import CRM, NOBODY, Secured, through
from tests.links.terminator import SSL_REQUEST
from tests.processes.conftest import Commands

pytestmark = pytest.mark.timeout(300)  # whichever is first starts the servers

BY_ANOTHER_CA = "by a CA that we do not know"
AT_ONCE = struct.pack("ii", 1, 0)
"""To linger no second: what is closed is reset."""
ANOTHER_NAME = "its certificate is for another name"


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that none of the servers trusts, nor has its certificate from."""
    return Authority(tmp_path_factory.mktemp("stranger") / "authority")


async def refused_by_kafka(settings: Settings) -> str:
    with pytest.raises(KafkaError) as refused:
        await topics.check(settings, topics.inbound(settings))
    return describe(refused.value)


async def test_kafka_is_another(secured: Secured, stranger: Authority) -> None:
    by_another_ca = await refused_by_kafka(secured.settings(KAFKA_CA_FILE=str(stranger.certificate)))
    by_another_name = await refused_by_kafka(
        secured.settings(KAFKA_BOOTSTRAP_SERVERS=f"{HOST}:{secured.kafka.sasl_port}")
    )

    assert f"{secured.kafka.sasl_servers}: its certificate is {BY_ANOTHER_CA}: KAFKA_CA_FILE" in by_another_ca
    assert ANOTHER_NAME in by_another_name


async def test_kafka_does_not_know_us(secured: Secured, stranger: Authority) -> None:
    by_password = await refused_by_kafka(secured.settings(KAFKA_SASL_PASSWORD="guessed"))
    by_certificate = await refused_by_kafka(secured.by_certificate(stranger.client("consumer")))

    assert "correct KAFKA_SASL_USERNAME or KAFKA_SASL_PASSWORD" in by_password
    assert "guessed" not in by_password
    assert "does it accept our certificate, KAFKA_CERTIFICATE_FILE?" in by_certificate


async def test_kafka_speaks_otherwise_on_that_port(secured: Secured) -> None:
    encrypted = await refused_by_kafka(secured.settings(KAFKA_BOOTSTRAP_SERVERS=f"localhost:{secured.kafka.port}"))
    in_clear = await refused_by_kafka(
        Settings(DATABASE_URL="postgresql://x/x", KAFKA_BOOTSTRAP_SERVERS=secured.kafka.sasl_servers)
    )

    assert "does it speak TLS on this port?" in encrypted or "is SASL_SSL the KAFKA_SECURITY_PROTOCOL" in encrypted
    assert "is PLAINTEXT the KAFKA_SECURITY_PROTOCOL of this port?" in in_clear


async def test_kafka_allows_us_nothing(secured: Secured, made_topics: list[str], commands: Commands) -> None:
    told = await refused_by_kafka(secured.settings(user=NOBODY))
    password = secured.passwords[NOBODY]
    code, said = await commands.run("topics", "create", KAFKA_SASL_USERNAME=NOBODY, KAFKA_SASL_PASSWORD=password)

    assert "lacks a right on that topic: see the rights under Links in deploy/README.md" in told
    assert f"{secured.prefix}message.received" in told
    assert (code, "lacks a right" in said) == (1, True)
    assert password not in said


@pytest.mark.parametrize(
    ("process", "user", "lacking"),
    [
        ("consumer", CRM, "lacks a right on that group"),
        ("relay", "topics", "lacks a right on the relay's transactional"),
    ],
)
async def test_a_process_without_its_own_right_is_not_ready_and_says_which(
    secured: Secured, commands: Commands, process: str, user: str, lacking: str
) -> None:
    command = commands.start(process, KAFKA_SASL_USERNAME=user, KAFKA_SASL_PASSWORD=secured.passwords[user])

    async with asyncio.timeout(30):
        while lacking not in (await command.says(ready=False))["blocking"].get(process, ""):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    code, _ = await command.end()

    assert code == 0


async def refused_by_postgres(settings: Settings, monkeypatch: pytest.MonkeyPatch, **tls: str) -> str:
    for name, value in tls.items():
        monkeypatch.setenv(name, value)  # asyncpg reads them by itself
    with pytest.raises((OSError, asyncpg.PostgresError)) as refused:
        await database.connect(settings.database_url.get_secret_value(), process="test", size=1)
    return describe(refused.value)


async def test_postgres_is_another(
    secured: Secured, stranger: Authority, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = secured.environment(database_url)
    tls = {name: value for name, value in environment.items() if name.startswith("PG")}
    settings = secured.settings(database_url)
    url = through(secured.postgres.by_another_name, database_url)

    by_another_ca = await refused_by_postgres(
        settings, monkeypatch, **{**tls, "PGSSLROOTCERT": str(stranger.certificate)}
    )
    by_another_name = await refused_by_postgres(secured.settings(DATABASE_URL=url), monkeypatch, **tls)

    assert f"PostgreSQL at {secured.postgres.address}: its certificate is {BY_ANOTHER_CA}" in by_another_ca
    assert ANOTHER_NAME in by_another_name
    assert secured.postgres.in_clear == []


async def test_postgres_does_not_know_us(
    secured: Secured, stranger: Authority, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = secured.environment(database_url)
    tls = {name: value for name, value in environment.items() if name.startswith("PG")}
    theirs = stranger.client("cadence")
    shown = {**tls, "PGSSLCERT": str(theirs.certificate), "PGSSLKEY": str(theirs.key)}

    by_certificate = await refused_by_postgres(secured.settings(database_url), monkeypatch, **shown)
    by_password = await refused_by_postgres(
        secured.settings(database_url.replace("postgres:", "postgres:guessed-")), monkeypatch, **tls
    )

    assert f"PostgreSQL at {secured.postgres.address}: it ended the connection" in by_certificate
    assert "does it accept our certificate, PGSSLCERT?" in by_certificate
    assert f"PostgreSQL at {secured.postgres.address}; correct the user or the password of DATABASE_URL" in by_password
    assert "guessed" not in by_password


async def test_postgres_does_not_encrypt(secured: Secured, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = await refused_by_postgres(
        Settings(DATABASE_URL=database_url),
        monkeypatch,
        PGSSLMODE="verify-full",
        PGSSLROOTCERT=str(secured.authority.certificate),
    )

    assert "it does not encrypt: have it do so, or change PGSSLMODE" in told


async def test_a_role_without_rights_ends_the_process_with_the_reason(
    secured: Secured, commands: Commands, database_url: str
) -> None:
    admin = await asyncpg.connect(database_url)
    role = f"bare_{secured.prefix.rstrip('.')}"
    try:
        await admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'word'")
        url = through(secured.postgres.address, database_url)
        as_role = make_url(url).set(username=role, password="word").render_as_string(hide_password=False)
        code, said = await commands.run("worker", DATABASE_URL=as_role)
    finally:
        await admin.execute(f"DROP ROLE {role}")
        await admin.close()

    assert code == 1
    assert "the user of DATABASE_URL lacks a right: see the rights under Links in deploy/README.md" in said


async def refused_by_valkey(settings: Settings, command: str = "ping") -> str:
    client = road.connect(settings)
    try:
        with pytest.raises((RedisError, OSError)) as refused:
            await getattr(client, command)()
        return describe(refused.value)
    finally:
        await client.aclose(close_connection_pool=True)


async def test_valkey_is_another(secured: Secured, stranger: Authority) -> None:
    url = secured.environment("postgresql://x/x")["REDIS_URL"]
    by_another_ca = await refused_by_valkey(secured.settings(REDIS_CA_FILE=str(stranger.certificate)))
    by_another_name = await refused_by_valkey(
        secured.settings(REDIS_URL=url.replace(secured.valkey.address, secured.valkey.by_another_name))
    )

    assert secured.valkey.address in by_another_ca
    assert f"{BY_ANOTHER_CA}: REDIS_CA_FILE" in by_another_ca
    assert ANOTHER_NAME in by_another_name


async def test_valkey_does_not_know_us_or_allows_us_nothing(secured: Secured, stranger: Authority) -> None:
    _, password = secured.valkey_user
    url = secured.environment("postgresql://x/x")["REDIS_URL"]
    theirs = stranger.client("cadence")

    by_password = await refused_by_valkey(secured.settings(REDIS_URL=url.replace(password, "guessed")))
    by_right = await refused_by_valkey(secured.settings(), "flushall")
    by_certificate = await refused_by_valkey(
        secured.settings(REDIS_CERTIFICATE_FILE=str(theirs.certificate), REDIS_KEY_FILE=str(theirs.key))
    )

    assert "correct the user or the password of REDIS_URL" in by_password
    assert "guessed" not in by_password
    assert "the user of REDIS_URL lacks a right" in by_right
    assert "does it accept our certificate, REDIS_CERTIFICATE_FILE?" in by_certificate


class Eavesdropper(NamedTuple):
    """Takes whatever is sent in place of a server, and hangs up."""

    address: str
    heard: list[bytes]


@pytest.fixture
def eavesdropper() -> Iterator[Eavesdropper]:
    heard: list[bytes] = []
    with socket.create_server((HOST, 0)) as listening:

        def listen() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection:
                        connection.settimeout(2)
                        heard.append(connection.recv(65536))

        thread = threading.Thread(target=listen)
        thread.start()
        yield Eavesdropper(f"localhost:{listening.getsockname()[1]}", heard)
        listening.shutdown(socket.SHUT_RDWR)
    thread.join()


async def test_valkey_resets_the_connection_as_it_may_on_a_certificate(secured: Secured) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*secured.authority.server)

    def reset() -> None:
        connection, _ = listening.accept()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        context.wrap_socket(connection, server_side=True).close()

    with socket.create_server((HOST, 0)) as listening:
        there = f"rediss://localhost:{listening.getsockname()[1]}/0"
        resetting = asyncio.create_task(asyncio.to_thread(reset))
        refused = await refused_by_valkey(secured.settings(REDIS_URL=there))
        await resetting

    assert "does it accept our certificate, REDIS_CERTIFICATE_FILE?" in refused


async def test_whoever_speaks_no_tls_hears_nothing_but_the_wish_for_it(
    secured: Secured, database_url: str, eavesdropper: Eavesdropper, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = eavesdropper.address
    environment = secured.environment(database_url)
    tls = {name: value for name, value in environment.items() if name.startswith("PG")}
    redis_url = environment["REDIS_URL"].replace(secured.valkey.address, there)
    settings = secured.settings(
        database_url, REDIS_URL=redis_url, KAFKA_BOOTSTRAP_SERVERS=there, DATABASE_URL=through(there, database_url)
    )

    await refused_by_kafka(settings)
    await refused_by_valkey(settings)
    of_others = len(eavesdropper.heard)
    await refused_by_postgres(settings, monkeypatch, **tls)

    hello = b"\x16\x03"  # how a handshake begins
    assert {one[:2] for one in eavesdropper.heard[:of_others]} == {hello}
    assert set(eavesdropper.heard[of_others:]) == {SSL_REQUEST}
