"""What the API answers. Routes are told as they are declared, without the ids in a path."""

from prometheus_client import Counter, Histogram

from cadence_engine.metrics.registry import BRIEF_SECONDS, REGISTRY

requests = Counter(
    "cadence_api_requests", "Requests that were answered.", ["method", "route", "status"], registry=REGISTRY
)
request_seconds = Histogram(
    "cadence_api_request_seconds",
    "How long an answer took to begin, by the method of the request.",
    ["method"],
    buckets=BRIEF_SECONDS,
    registry=REGISTRY,
)
UNKNOWN = "-"
"""The method and route of what fits none: a client may write anything there."""


def answered(method: str, route: str | None, status: int, seconds: float) -> None:
    """An answer was given; `route`: as declared, None where nothing fits the request."""
    known = method if route is not None else UNKNOWN
    requests.labels(known, route or UNKNOWN, str(status)).inc()
    request_seconds.labels(known).observe(seconds)
