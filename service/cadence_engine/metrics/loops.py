"""The worker's loops: how often each failed, and what the detector did."""

from prometheus_client import Counter

from cadence_engine.metrics.registry import REGISTRY

failures = Counter(
    "cadence_loop_failures", "Runs of a loop that failed, and were tried again.", ["loop"], registry=REGISTRY
)
runs = Counter(
    "cadence_detector_runs",
    "Companies' daily searches for silent contacts: finished, or failed and to be tried again.",
    ["outcome"],
    registry=REGISTRY,
)
FINISHED, FAILED = "finished", "failed"
for each in (FINISHED, FAILED):
    runs.labels(each)


def begins(loop: str) -> None:
    """The loop is there: its failures count from 0."""
    failures.labels(loop)


def failed(loop: str) -> None:
    """A run of it failed."""
    failures.labels(loop).inc()


def detector_run(*, finished: bool) -> None:
    """A company's day is done, or its search failed."""
    runs.labels(FINISHED if finished else FAILED).inc()
