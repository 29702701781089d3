"""Whether and how a process exports, each tried in a process of its own."""

import asyncio
import json
import os
import subprocess
import sys
from time import monotonic

import pytest

from cadence_engine.devstack.ports import HOST, free_port
from tests.collector import collecting

SCRIPT = """
import sys, structlog
from cadence_engine import telemetry
from cadence_engine.tracing import spans
from cadence_engine.tracing.exporting import exported
telemetry.configure("test")
log = structlog.stdlib.get_logger("cadence_engine.x")
with exported("worker"):
    with spans.within("work"):
        log.info("worked", traced=spans.wanted(), sdk="opentelemetry.sdk.trace" in sys.modules)
log.info("ended", traced=spans.wanted())
"""


def ran(**environment: str) -> dict[str, dict[str, object]]:
    """The lines of its log by their action."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, env={**clean, **environment}, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "secret" not in done.stdout
    return {line["action"]: line for line in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_without_an_endpoint_the_sdk_is_not_even_loaded(environment: dict[str, str]) -> None:
    said = ran(**environment)
    assert said.keys() == {"worked", "ended"}
    assert (said["worked"]["traced"], said["worked"]["sdk"]) == (False, False)
    assert "trace_id" not in said["worked"]


async def test_the_standard_variables_say_who_tells_and_where_to() -> None:
    async with collecting() as collector:
        said = await asyncio.to_thread(ran, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint)
        renamed = {"OTEL_SERVICE_NAME": "ours", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": collector.endpoint + "/v1/traces"}
        await asyncio.to_thread(lambda: ran(**renamed))
        assert [span.service for span in collector.named("work")] == ["cadence-engine-worker", "ours"]
        assert (said["worked"]["trace_id"], said["worked"]["span_id"]) == collector.spans[0].context
    assert "AsLinked{ParentBased" in str(said["traces_exported"]["sampler"])
    assert said["ended"]["traced"] is False
    assert "trace_id" not in said["ended"]


def test_a_variable_that_the_sdk_refuses_keeps_nobody_from_working() -> None:
    refused = ran(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{HOST}:1", OTEL_SPAN_LINK_COUNT_LIMIT="many")
    assert "OTEL_SPAN_LINK_COUNT_LIMIT" in str(refused["traces_off"]["reason"])
    assert refused["worked"]["traced"] is False


def test_a_key_that_is_written_wrongly_is_not_quoted() -> None:
    said = ran(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{HOST}:1", OTEL_EXPORTER_OTLP_HEADERS="my secret key")
    assert said["worked"]["traced"] is True


def test_a_collector_that_is_away_or_speaks_otherwise_keeps_nobody() -> None:
    began = monotonic()
    away = f"http://{HOST}:{free_port()}"
    said = ran(OTEL_EXPORTER_OTLP_ENDPOINT=away, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    assert said["ended"]["traced"] is False
    assert "http/protobuf" in str(said["traces_protocol_unknown"]["hint"])
    assert monotonic() - began < 8
