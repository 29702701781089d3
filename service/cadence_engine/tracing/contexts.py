"""Trace contexts as they travel: a W3C `traceparent` in the headers of records, and in the database.

Only one that is sampled counts: of any other nobody has kept a span to lead back to.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanContext, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from cadence_contracts.records import TRACEPARENT

LINKS_AT_MOST: Final = 128
"""Of one span. More would be cut by OpenTelemetry's SDK, after they were made."""

_propagator: Final = TraceContextTextMapPropagator()


def of_record(headers: Iterable[tuple[str, bytes | None]], attributes: Mapping[str, object]) -> str | None:
    """The context that a record came with: in its header, or as the CloudEvents extension in `attributes`."""
    told = attributes.get(TRACEPARENT)
    for name, value in headers:
        if value is not None and name.lower() == TRACEPARENT:
            told = value.decode("ascii", "replace")
    return None if told is None else _sampled(str(told))


def of_request(headers: Mapping[str, str]) -> Context:
    """The context that an HTTP request came with; an empty one where it names none."""
    return _propagator.extract(headers, context=Context())


def written(context: SpanContext) -> str | None:
    """A span's context as it travels; None where it is not sampled."""
    if not (context.is_valid and context.trace_flags.sampled):
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"


def links(traceparents: Iterable[str | None]) -> list[Link]:
    """To each that there is, once; the first LINKS_AT_MOST of them."""
    distinct: dict[str, None] = {}
    for each in traceparents:
        if each is not None:
            distinct[each] = None
            if len(distinct) == LINKS_AT_MOST:
                break
    return [Link(_read(each)) for each in distinct]


def _sampled(traceparent: str) -> str | None:
    """The same context in the one way of writing it."""
    return written(_read(traceparent))


def _read(traceparent: str) -> SpanContext:
    return get_current_span(of_request({TRACEPARENT: traceparent})).get_span_context()
