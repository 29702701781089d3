"""Which spans are kept: as the standard variables say, and links count as parents do."""

from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Sampler, SamplingResult
from opentelemetry.trace import Link, NonRecordingSpan, SpanKind, TraceState, get_current_span, set_span_in_context
from opentelemetry.util.types import Attributes


class AsLinked(Sampler):
    """Asks another sampler as if the first link were the parent, where there is no parent.

    So what follows from a traced record is traced as well, days later and in a trace of its own, while the rest is left
    to `OTEL_TRACES_SAMPLER`.
    """

    def __init__(self, asked: Sampler) -> None:
        self._asked = asked

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Each span is asked for once, when it begins; links that are added later do not count."""
        if links and not get_current_span(parent_context).get_span_context().is_valid:
            parent_context = set_span_in_context(NonRecordingSpan(links[0].context), parent_context)
        return self._asked.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """As samplers are named in logs."""
        return f"AsLinked{{{self._asked.get_description()}}}"
