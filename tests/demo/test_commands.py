"""`cadence-engine demo` and `cadence-engine dev`, as somebody types them."""

import asyncio
import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from cadence_contracts import outbound, read_record, topics, write_record
from cadence_contracts.inbound import ContactCreated
from cadence_contracts.outbound import EnrollmentStarted
from cadence_engine.devstack.dev import API_ADDRESS
from cadence_engine.devstack.servers import Servers

pytestmark = pytest.mark.timeout(400)

READY_WITHIN = 120.0
DEMO_WITHIN = 300.0
"""Two of them at a time, on a machine that may be busy."""
GONE_WITHIN = 30.0
OWN_SERVERS = ("DATABASE_URL", "REDIS_URL", "KAFKA_BOOTSTRAP_SERVERS")
ENGINE = [sys.executable, "-m", "cadence_engine"]
A_SEND = Path(__file__).parents[2] / "contracts/examples/whatsapp.send.requested/full.json"
OUTBOUND = f".{topics.OUTBOUND}"
CLEAN = {
    name: value for name, value in os.environ.items() if name not in OWN_SERVERS and not name.startswith("CADENCE_")
}


@pytest.fixture
def given(servers: Servers, database_url: str, topic_prefix: str) -> dict[str, str]:
    """The session's servers, given as a user's own: what is about processes needs no servers started anew."""
    return {
        **servers.addresses.as_environment(),
        "DATABASE_URL": database_url,
        "CADENCE_TOPIC_PREFIX": topic_prefix,
    }


@contextmanager
def _dev(directory: Path, environment: dict[str, str]) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    output = directory / "output"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [*ENGINE, "dev"], cwd=directory, env=CLEAN | environment, stdout=log, stderr=log, start_new_session=True
        )
    with process:
        try:
            _wait(lambda: (directory / ".local" / "env").exists() or process.poll() is not None, READY_WITHIN, output)
            assert process.poll() is None, output.read_text()
            yield process, output
        finally:
            process.kill()


def _wait(until: Callable[[], bool], seconds: float, output: Path) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, output.read_text()
        time.sleep(0.05)


def _family(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    """Its guards, their processes and servers."""
    family: list[psutil.Process] = psutil.Process(process.pid).children(recursive=True)
    return family


def _engine_process(process: "subprocess.Popen[bytes]", name: str) -> psutil.Process:
    return next(each for each in _family(process) if each.cmdline()[-2:] == ["cadence_engine", name])


def _assert_gone(family: list[psutil.Process]) -> None:
    _, left = psutil.wait_procs(family, timeout=GONE_WITHIN)
    assert left == []


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    """`demo` in an empty folder, on servers of its own: under way, since it waits most of its time."""
    directory = tmp_path_factory.mktemp("demo")
    with (
        (directory / "output").open("wb") as output,
        subprocess.Popen(
            [*ENGINE, "demo"], cwd=directory, env=CLEAN, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ) as process,
    ):
        yield process, directory
        process.kill()


def test_a_send_that_somebody_else_planted_fails_the_demo_and_nothing_is_left_on_given_servers(
    tmp_path: Path, servers: Servers, demo: object
) -> None:
    assert demo  # it runs meanwhile
    databases = asyncio.run(_databases(servers))
    environment = CLEAN | servers.addresses.as_environment()
    with subprocess.Popen(
        [*ENGINE, "demo"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as command:
        try:
            topic = asyncio.run(_plant(servers.addresses.kafka_bootstrap_servers))
            told, _ = command.communicate(timeout=DEMO_WITHIN)
        finally:
            command.kill()

    assert command.returncode == 1, told
    assert "acme/c-42/reactivation: 1 enrollments that nothing asked for" in told
    assert "2 differences" in told  # it also comes months late
    kept = tmp_path / ".local" / "logs-of-failed-demo"
    assert sorted(log.name for log in kept.iterdir()) == ["consumer.log", "relay.log", "worker.log"]
    assert topic not in asyncio.run(_topics(servers.addresses.kafka_bootstrap_servers))
    assert asyncio.run(_databases(servers)) == databases


def test_the_demo_ends_by_itself_and_all_is_right(demo: tuple["subprocess.Popen[bytes]", Path]) -> None:
    process, directory = demo

    ended_with = process.wait(DEMO_WITHIN)

    told = (directory / "output").read_text()
    assert ended_with == 0, told
    assert "All is right." in told
    assert "records published" in told
    assert "\x1b" not in told
    assert list((directory / ".local").iterdir()) == []


async def _plant(bootstrap_servers: str) -> str:
    """Put a send that nothing asked for on the demo's topic, once that is there; answers the topic."""
    before = set(await _topics(bootstrap_servers))
    async with asyncio.timeout(READY_WITHIN):
        while not (made := {each for each in await _topics(bootstrap_servers) if each.endswith(OUTBOUND)} - before):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    (topic,) = made
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers) as producer:
        await producer.send_and_wait(topic, A_SEND.read_bytes())
    return topic


async def _topics(bootstrap_servers: str) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        return list(await admin.list_topics())
    finally:
        await admin.close()


async def _databases(servers: Servers) -> list[str]:
    connection = await asyncpg.connect(servers.addresses.database_url)
    try:
        return [row[0] for row in await connection.fetch("SELECT datname FROM pg_database ORDER BY 1")]
    finally:
        await connection.close()


def test_others_join_dev_by_its_env_file_and_ctrl_c_ends_everything(tmp_path: Path) -> None:
    with _dev(tmp_path, {}) as (process, output):
        env_file = tmp_path / ".local" / "env"
        addresses = dict(line.split("=", 1) for line in shlex.split(env_file.read_text()))
        assert addresses.keys() == {*OWN_SERVERS, API_ADDRESS}
        assert env_file.stat().st_mode & 0o077 == 0
        subprocess.run(
            [*ENGINE, "apply", "onboarding", "--company", "acme"],
            env=CLEAN | addresses,
            check=True,
            capture_output=True,
        )
        assert asyncio.run(_greet(addresses["KAFKA_BOOTSTRAP_SERVERS"])) == "contact.created"
        with urllib.request.urlopen(f"{addresses[API_ADDRESS]}/openapi.json") as answer:  # noqa: S310  # an address of ours
            assert answer.status == 200
        family = _family(process)
        assert len(family) >= 14  # three servers and four processes, each behind its guard

        os.killpg(process.pid, signal.SIGINT)

        assert process.wait(GONE_WITHIN) == 0, output.read_text()
        _assert_gone(family)
        text = output.read_text()
        assert list((tmp_path / ".local").iterdir()) == []
    assert text.count("process_ended exit_code=0") == 4, text
    assert text.splitlines()[-1] == "All stopped."
    assert "\x1b" not in text


async def _greet(bootstrap_servers: str) -> str:
    """A plain client publishes a contact and reads what began by it; answers its trigger."""
    consumer = AIOKafkaConsumer(
        topics.EVENTS,
        bootstrap_servers=bootstrap_servers,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    )
    ana = ContactCreated(company_id="acme", contact_id="ana", name="Ana", phone="+5500111222")
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers) as producer, consumer:
        await producer.send_and_wait(**write_record(ana, id=str(uuid4()), source="/crm")._asdict())
        async with asyncio.timeout(READY_WITHIN):
            record = await consumer.getone()
    event = outbound.parse(read_record(record.value, record.headers))
    assert isinstance(event, EnrollmentStarted)
    return event.trigger


def test_dev_ends_when_a_process_ends_and_shows_what_it_said(tmp_path: Path, given: dict[str, str]) -> None:
    with _dev(tmp_path, given) as (process, output):
        family = _family(process)

        _engine_process(process, "relay").kill()

        assert process.wait(GONE_WITHIN) == 1
        _assert_gone(family)
        text = output.read_text()
    assert "The relay has ended by itself" in text
    assert "relay    | " in text
    assert not (tmp_path / ".local" / "env").exists()


def test_nothing_of_dev_survives_its_kill(tmp_path: Path, given: dict[str, str]) -> None:
    with _dev(tmp_path, given) as (process, _):
        family = _family(process)
        assert len(family) >= 6

        process.kill()

        _assert_gone(family)


def test_dev_says_what_is_wrong_with_a_server_that_is_named(tmp_path: Path, given: dict[str, str]) -> None:
    wrong = given | {"DATABASE_URL": given["DATABASE_URL"].replace("postgres:", "nobody:")}

    done = subprocess.run(
        [*ENGINE, "dev"], cwd=tmp_path, env=CLEAN | wrong, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "`cadence-engine migrate` failed" in done.stderr
    assert "password authentication failed" in done.stderr
    assert "Traceback (most recent call last)" not in done.stderr
    assert given["DATABASE_URL"] not in done.stderr
