"""Spans of this very process, by OpenTelemetry's own SDK."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, Sampler

from cadence_engine.tracing import spans
from cadence_engine.tracing.sampling import AsLinked

WHATEVER = ParentBased(ALWAYS_ON)


@contextmanager
def recorded(sampler: Sampler = WHATEVER) -> Iterator[InMemorySpanExporter]:
    """What ends meanwhile is among its finished spans."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=AsLinked(sampler), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    spans.begin(provider.get_tracer("test"))
    try:
        yield exporter
    finally:
        spans.end()
