"""The metrics of this process, and how they are written down."""

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series of each, which nobody asks for

REGISTRY = CollectorRegistry(auto_describe=True)
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
"""Upper bounds of how late something is: the goals (0.4 s, 1 s, the gate's 5 s) lie between two of them."""

BRIEF_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of how long a transaction takes."""


def exposition(accept: str) -> tuple[bytes, str]:
    """All metrics of this process in the best format that `accept` (the HTTP header) allows, and its content type."""
    encode, content_type = choose_encoder(accept)
    return encode(REGISTRY), content_type
