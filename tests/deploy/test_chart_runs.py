"""What the chart renders is run as it is rendered, on real servers: every process, its probes, its end."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from cadence_engine.devstack.ports import HOST, free_port
from cadence_engine.devstack.servers import Servers
from tests.deploy.chart import EXAMPLES, SMALLEST, Values, of_kind, part, resources
from tests.deploy.composition import ROOT
from tests.deploy.deployed import Deployed

pytestmark = [pytest.mark.timeout(1200), pytest.mark.usefixtures("go_tools")]

Deploy = Callable[..., Deployed]


@pytest.fixture
def deploy(servers: Servers, database_url: str, topic_prefix: str, tmp_path: Path) -> Iterator[Deploy]:
    """Start a pod of the chart, with values beside the servers' addresses."""
    begun: list[Deployed] = []

    def start(name: str, **values: dict[str, Any]) -> Deployed:
        given: Values = {
            "postgres": {"url": database_url},
            "redis": {"url": servers.addresses.redis_url},
            "kafka": {"bootstrapServers": servers.addresses.kafka_bootstrap_servers, "topicPrefix": topic_prefix},
            "topics": {"partitions": 2},
        }
        merged = {key: {**given.get(key, {}), **values.get(key, {})} for key in {*given, *values}}
        begun.append(Deployed(name, merged, tmp_path))
        return begun[-1]

    yield start
    for one in begun:
        one.end()


def test_every_process_comes_up_is_found_ready_and_ends_within_its_grace_period(deploy: Deploy) -> None:
    for job in ("migrate", "topics"):
        pod = deploy(job)
        assert pod.wait_until_done() == 0, pod.said()

    [monitor] = of_kind("ServiceMonitor", resources(values={**SMALLEST, "serviceMonitor": {"enabled": True}}))
    [metrics] = monitor["spec"]["endpoints"]
    running = {name: deploy(name) for name in ("consumer", "worker", "relay", "api")}
    for pod in running.values():
        pod.wait_until_started()
        ready = pod.wait_until_ready()
        assert ready.body["blocking"] == {}
        alive = pod.probe("liveness")
        assert alive is not None
        assert alive.good

    for pod in running.values():
        measured = pod.ask(metrics["port"], metrics["path"], timeout=5)
        assert measured is not None
        assert measured.good
        assert "cadence_build_info{" in measured.text
    answered = running["api"].ask("http", "/openapi.json", timeout=5)
    assert answered is not None
    assert answered.body["openapi"].startswith("3.1")
    assert {name: pod.terminate() for name, pod in running.items()} == dict.fromkeys(running, 0)
    assert not any("Read-only file system" in pod.said() for pod in running.values())


def test_without_valkey_a_worker_is_degraded_and_ready(deploy: Deploy) -> None:
    worker = deploy("worker", redis={"url": f"redis://{HOST}:{free_port()}"})

    worker.wait_until_started()

    assert worker.wait_until_ready().body["degraded"]


def test_without_postgres_a_worker_is_alive_and_not_ready(deploy: Deploy) -> None:
    worker = deploy("worker", postgres={"url": f"postgresql://cadence@{HOST}:{free_port()}/cadence"})

    worker.wait_until_started()
    reason = worker.wait_until_not_ready_for("postgres")
    alive = worker.probe("liveness")

    assert "Connect" in reason
    assert alive is not None
    assert alive.good
    assert worker.terminate() == 0


def test_what_is_run_here_can_write_to_its_mounts_alone(tmp_path: Path) -> None:
    mount, elsewhere = tmp_path / "mount", tmp_path / "elsewhere"
    mount.mkdir()
    elsewhere.mkdir()
    program = (
        "import sys; from pathlib import Path; from tests.deploy.read_only import forbid_writing\n"
        "mount, elsewhere = map(Path, sys.argv[1:])\n"
        "forbid_writing((f'{mount}/',))\n"
        "(mount / 'a').write_text('a'); (mount / 'b').mkdir(); print((elsewhere.parent / 'kept').read_text())\n"
        "for change in (lambda: (elsewhere / 'a').write_text('a'), (elsewhere / 'b').mkdir, elsewhere.rmdir):\n"
        "    try: change()\n"
        "    except OSError as error: print(error.strerror)\n"
    )
    (tmp_path / "kept").write_text("is read")

    done = subprocess.run(
        [sys.executable, "-c", program, str(mount), str(elsewhere)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines() == ["is read", *["Read-only file system"] * 3]
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("name", ["worker", "api"])
def test_a_database_that_does_not_encrypt_is_not_talked_to_where_encryption_is_asked_for(
    deploy: Deploy, name: str
) -> None:
    pod = deploy(name, postgres={"tls": {"mode": "require"}})

    pod.wait_until_started()

    assert "SSL" in pod.wait_until_not_ready_for("postgres")


async def test_keda_can_ask_the_database_what_it_is_told_to(database_url: str) -> None:
    [production] = [path for path in EXAMPLES if path.stem == "production"]
    [worker] = [one for one in of_kind("ScaledObject", resources(production)) if part(one) == "worker"]
    [trigger] = worker["spec"]["triggers"]
    connection = await asyncpg.connect(database_url)
    try:
        overdue = await connection.fetchval(trigger["metadata"]["query"])
    finally:
        await connection.close()

    assert overdue == 0
