"""In which trace context a transaction is done: each batch of the log keeps it, so that traces lead on from there.

Set by those at the edge who know of traces, as a W3C `traceparent` that is sampled; None where nobody traces.
"""

from contextvars import ContextVar
from typing import Final

TRACEPARENT: Final[ContextVar[str | None]] = ContextVar("traceparent", default=None)
