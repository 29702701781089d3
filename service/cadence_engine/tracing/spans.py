"""Spans around what the edges do. Where nobody traces they cost next to nothing, and hold no personal data anywhere."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Link, NoOpTracer, Span, SpanKind, Status, StatusCode, Tracer, use_span

from cadence_engine.storage.origin import TRACEPARENT
from cadence_engine.telemetry import describe
from cadence_engine.tracing import contexts

Attribute = str | int | float | bool

OUR_FAULT: Final = 500

_NOBODY: Final = NoOpTracer()
_tracer: Tracer = _NOBODY


def begin(tracer: Tracer) -> None:
    """From now on spans are made by this tracer."""
    global _tracer
    _tracer = tracer


def end() -> None:
    """From now on nobody traces."""
    begin(_NOBODY)


def wanted() -> bool:
    """Whether anybody traces: else nothing has to be read that only spans need."""
    return _tracer is not _NOBODY


class Told:
    """A span under way, and what is told of it."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._forgotten = False

    def tell(self, **attributes: Attribute) -> None:
        """Counts and names of ours: never what somebody wrote, be it an id of a contact."""
        for name, value in attributes.items():
            self._span.set_attribute(f"cadence.{name}", value)

    def links(self, traceparents: Iterable[str | None]) -> None:
        """To what it turned out to be about, as far as LINKS_AT_MOST goes."""
        if self._span.is_recording():
            for link in contexts.links(traceparents):
                self._span.add_link(link.context)

    def answered(self, method: str, route: str | None, status: int) -> None:
        """It was an HTTP request, and this came of it; a status of 500 and above is a failure of ours."""
        self._span.set_attribute("http.request.method", method)
        self._span.set_attribute("http.response.status_code", status)
        if route is not None:
            self._span.set_attribute("http.route", route)
        if status >= OUR_FAULT:
            self._span.set_status(StatusCode.ERROR)

    def failed(self, error: BaseException) -> None:
        """What went wrong, without the values that its text may quote."""
        self._span.set_status(Status(StatusCode.ERROR, describe(error)))

    def forget(self) -> None:
        """There was nothing to do: nobody needs to hear of it."""
        self._forgotten = True

    def end(self) -> None:
        """Hand it over, unless it is forgotten."""
        if not self._forgotten:
            self._span.end()


NOBODY_HEARS: Final = Told(INVALID_SPAN)


@contextmanager
def within(
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    *,
    parent: Context | None = None,
    links: Iterable[str | None] = (),
    attributes: Mapping[str, Attribute] | None = None,
) -> Iterator[Told]:
    """A span around a piece of work: lines in the log name it, and batches of the log that are written keep it.

    `links` are contexts as `contexts` reads them. What is raised fails the span, and goes on.
    """
    if _tracer is _NOBODY:
        yield NOBODY_HEARS
        return
    span = _start(name, kind, parent, contexts.links(links), attributes)
    told = Told(span)
    origin = TRACEPARENT.set(contexts.written(span.get_span_context()))
    try:
        with use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False):
            yield told
    except BaseException as error:
        told.failed(error)
        raise
    finally:
        TRACEPARENT.reset(origin)
        told.end()


def of_record(name: str, links: Iterable[str | None], attributes: Mapping[str, Attribute]) -> tuple[Told, str | None]:
    """A span of one record to publish, in a trace of its own, and the context for its header; to be ended."""
    span = _start(name, SpanKind.PRODUCER, Context(), contexts.links(links), attributes)
    return Told(span), contexts.written(span.get_span_context())


def _start(
    name: str, kind: SpanKind, parent: Context | None, links: list[Link], attributes: Mapping[str, Attribute] | None
) -> Span:
    return _tracer.start_span(
        name,
        context=parent,
        kind=kind,
        links=links,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    )
