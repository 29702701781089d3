"""An OTLP collector: a real HTTP server that takes spans as OpenTelemetry's exporters send them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

Context = tuple[str, str]
"""(trace id, span id), in hexadecimal."""


def context_of(traceparent: str) -> Context:
    """What a `traceparent` names."""
    _, trace_id, span_id, _ = traceparent.split("-")
    return trace_id, span_id


@dataclass(frozen=True)
class Collected:
    """A span, and the service that told it."""

    service: str
    name: str
    context: Context
    parent: str
    links: tuple[Context, ...]
    attributes: dict[str, Any]
    failed: str | None


@dataclass
class Collector:
    """`endpoint` is for OTEL_EXPORTER_OTLP_ENDPOINT; `raw` is all that was received, as text."""

    endpoint: str = ""
    spans: list[Collected] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, met: Callable[[], object], *, within: float = 30) -> None:
        """Wait until what was received makes `met` true."""
        async with asyncio.timeout(within), self.changed:
            await self.changed.wait_for(lambda: bool(met()))

    async def span(self, context: Context) -> Collected:
        """The span with that context, as soon as it is told."""
        await self.until(lambda: context in {span.context for span in self.spans})
        return next(span for span in self.spans if span.context == context)

    def named(self, name: str) -> list[Collected]:
        return [span for span in self.spans if span.name == name]

    async def take(self, request: web.Request) -> web.Response:
        told = ExportTraceServiceRequest.FromString(await request.read())
        async with self.changed:
            self.raw.append(str(told))
            for resource in told.resource_spans:
                service = _plain(resource.resource.attributes)["service.name"]
                for scope in resource.scope_spans:
                    self.spans += [_collected(service, span) for span in scope.spans]
            self.changed.notify_all()
        return web.Response()


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector that listens."""
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        collector.endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield collector
    finally:
        await runner.cleanup()


def _collected(service: str, span: Any) -> Collected:
    return Collected(
        service=service,
        name=span.name,
        context=(span.trace_id.hex(), span.span_id.hex()),
        parent=span.parent_span_id.hex(),
        links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        attributes=_plain(span.attributes),
        failed=span.status.message if span.status.code == span.status.STATUS_CODE_ERROR else None,
    )


def _plain(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
