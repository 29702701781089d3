"""What spans tell, in this process, by OpenTelemetry's own SDK."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import get_current_span

from cadence_engine.storage.origin import TRACEPARENT
from cadence_engine.tracing import contexts, spans
from tests.recorded import recorded

SECRET = "+5511987654321"
TRACED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def told() -> Iterator[InMemorySpanExporter]:
    with recorded() as told:
        yield told


def test_what_fails_is_told_without_the_values_that_it_quotes(told: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="bad"), spans.within("work"):
        raise ValueError(f"bad {SECRET}")
    [span] = told.get_finished_spans()
    assert (span.name, span.status.description, span.events) == ("work", "ValueError", ())
    assert SECRET not in span.to_json()


def test_work_knows_its_span_and_nobody_does_afterwards(told: InMemorySpanExporter) -> None:
    with spans.within("outer") as outer:
        outer.tell(rows=3)
        outer.links([TRACED])
        assert TRACEPARENT.get() == contexts.written(get_current_span().get_span_context())
        with spans.within("inner"):
            pass
    assert TRACEPARENT.get() is None
    assert not get_current_span().is_recording()
    inside, outside = told.get_finished_spans()
    assert inside.parent is not None
    assert inside.parent.span_id == outside.context.span_id
    assert dict(outside.attributes or {}) == {"cadence.rows": 3}
    assert [contexts.written(link.context) for link in outside.links] == [TRACED]


def test_what_found_nothing_to_do_is_not_told(told: InMemorySpanExporter) -> None:
    with spans.within("look") as look:
        look.forget()
    assert told.get_finished_spans() == ()


def test_what_follows_from_a_traced_record_is_traced_whatever_else_is_sampled() -> None:
    with recorded(ParentBased(ALWAYS_OFF)) as told:
        with spans.within("untraced"):
            assert TRACEPARENT.get() is None
        with spans.within("page", links=[None, TRACED]):
            assert TRACEPARENT.get() is not None
            record, context = spans.of_record("send", [TRACED, None], {})
            record.end()
    send, page = told.get_finished_spans()
    assert (send.name, page.name, send.parent, page.parent) == ("send", "page", None, None)
    assert contexts.written(send.context) == context
    assert send.context.trace_id != page.context.trace_id


def test_a_sampler_that_asks_no_parent_decides_alone() -> None:
    with recorded(ALWAYS_OFF) as told, spans.within("page", links=[TRACED]):
        assert TRACEPARENT.get() is None
    assert told.get_finished_spans() == ()


def test_where_nobody_traces_nothing_is_kept() -> None:
    assert not spans.wanted()
    with spans.within("page", links=[TRACED]) as page:
        page.tell(rows=1)
        page.links([TRACED])
        page.failed(ValueError(SECRET))
        assert TRACEPARENT.get() is None
