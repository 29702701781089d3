"""What the chart renders of the links is what the processes read: started as rendered, they are let in everywhere."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.deployed import Deployed
from tests.links.conftest import ALL, Secured, through

pytestmark = [pytest.mark.timeout(1200), pytest.mark.usefixtures("go_tools", "made_topics")]
PROCESSES = ("consumer", "worker", "relay", "api")


@pytest.fixture
def pods(secured: Secured, database_url: str, tmp_path: Path) -> Iterator[dict[str, Deployed]]:
    """Each process of the chart, told to encrypt every link, with our certificates mounted."""
    user, password = secured.valkey_user
    ours = {"certificate": secured.ours.certificate.name, "key": secured.ours.key.name}
    values: dict[str, Any] = {
        "postgres": {
            "url": through(secured.postgres.address, database_url),
            "tls": {"mode": "verify-full", "secret": "postgres", **ours},
        },
        "redis": {"url": f"rediss://{user}:{password}@{secured.valkey.address}/0", "tls": {"secret": "redis", **ours}},
        "kafka": {
            "bootstrapServers": secured.kafka.sasl_servers,
            "topicPrefix": secured.prefix,
            "securityProtocol": "SASL_SSL",
            "sasl": {"username": ALL, "existingSecret": {"name": "kafka-user"}},
            "tls": {"secret": "kafka"},
        },
        "topics": {"partitions": 2},
    }
    places = {
        f"/etc/cadence-engine/{server}": secured.authority.certificate.parent
        for server in ("postgres", "redis", "kafka")
    }
    keys = {"kafka-user": {"password": secured.passwords[ALL]}}
    running = {name: Deployed(name, values, tmp_path, keys=keys, mounted=places) for name in PROCESSES}
    yield running
    for pod in running.values():
        pod.end()


def test_every_process_is_let_in_everywhere(pods: dict[str, Deployed]) -> None:
    for pod in pods.values():
        pod.wait_until_started()
        ready = pod.wait_until_ready()
        assert not {"hints", "waker"} & set(ready.body["degraded"])
