"""Where spans go: to the OTLP endpoint that OpenTelemetry's standard variables name, and nowhere without one."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from threading import Thread
from typing import TYPE_CHECKING, Final

import structlog

from cadence_engine.tracing import spans

if TYPE_CHECKING:  # the SDK is loaded only where it is wanted
    from opentelemetry.sdk.trace import TracerProvider

NAME: Final = "cadence-engine"
ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
SPOKEN: Final = "http/protobuf"
HEADERS_LOG: Final = "opentelemetry.util.re"

FLUSH_WITHIN: Final = 0.5
"""Seconds for what is not handed over yet when a process ends; it must not end later because nobody listens."""

log = structlog.stdlib.get_logger("cadence_engine.tracing")


@contextmanager
def exported(process: str) -> Iterator[None]:
    """Meanwhile the spans of this process are sent, if an endpoint is set; a failure to send is a line in the log.

    The SDK reads all `OTEL_` variables that it knows: sampler, headers, certificates, batches, resource. What it
    refuses to take is told as `traces_off`, and the process goes on without traces.
    """
    provider = _provider(process) if _wanted(os.environ) else None
    if provider is None:
        yield
        return
    spans.begin(provider.get_tracer(NAME))
    log.info("traces_exported", sampler=provider.sampler.get_description())
    try:
        yield
    finally:
        spans.end()
        flushing = Thread(target=provider.shutdown, daemon=True)
        flushing.start()
        flushing.join(FLUSH_WITHIN)


def _wanted(environment: Mapping[str, str]) -> bool:
    """An empty variable is as good as none, as OpenTelemetry has it."""
    return (
        any(environment.get(name) for name in ENDPOINTS)
        and environment.get("OTEL_SDK_DISABLED", "").strip().lower() != "true"
        and (environment.get("OTEL_TRACES_EXPORTER") or "otlp").strip().lower() == "otlp"
    )


def _provider(process: str) -> "TracerProvider | None":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    from cadence_engine.tracing.sampling import AsLinked

    _say_what_is_not_spoken(os.environ)
    logging.getLogger(HEADERS_LOG).addFilter(_without_headers)
    ours = {"service.name": f"{NAME}-{process}", "service.namespace": NAME, "service.version": version(NAME)}
    named_by_others = OTELResourceDetector().detect().attributes
    resource = Resource.create({name: value for name, value in ours.items() if name not in named_by_others})
    try:
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        provider.sampler = AsLinked(provider.sampler)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    except ValueError as refused:
        log.error("traces_off", reason=str(refused), hint="mend the OTEL_ variable, and start again")
        return None
    return provider


def _say_what_is_not_spoken(environment: Mapping[str, str]) -> None:
    told = next((value for name in PROTOCOLS if (value := environment.get(name))), SPOKEN)
    if told != SPOKEN:
        hint = f"spans are sent by {SPOKEN}, to the collector's port for that (4318 as a rule); unset the variable"
        log.warning("traces_protocol_unknown", protocol=told, hint=hint)


def _without_headers(record: logging.LogRecord) -> bool:
    """The SDK quotes what it cannot read, be it a key."""
    record.msg, record.args = (
        "one of the headers in an OTEL_ variable is not name=value, URL encoded: it is left out",
        (),
    )
    return True
