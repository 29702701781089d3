"""What the consumer does with records. Topics are told without the deployment's prefix."""

from collections.abc import Mapping

from prometheus_client import Counter, Gauge, Histogram

from cadence_contracts.dead_letters import Reason
from cadence_engine.handlers.page import PageCounts
from cadence_engine.metrics.registry import BRIEF_SECONDS, REGISTRY

records = Counter(
    "cadence_records",
    "Records that were read: applied, seen before, or dead letters.",
    ["topic", "outcome"],
    registry=REGISTRY,
)
dead_letters = Counter(
    "cadence_dead_letters", "Records that could not be understood.", ["topic", "reason"], registry=REGISTRY
)
page_seconds = Histogram(
    "cadence_page_seconds",
    "How long a page of records took, commit included.",
    buckets=BRIEF_SECONDS,
    registry=REGISTRY,
)
page_failures = Counter(
    "cadence_page_failures", "Pages that were rolled back and are read again.", ["topic"], registry=REGISTRY
)
lag = Gauge(
    "cadence_consumer_lag_records",
    "Records behind the last applied one, in the partitions that this process reads.",
    ["topic"],
    registry=REGISTRY,
)
held = Gauge(
    "cadence_held_partitions", "Partitions that cannot be read on: the log says why.", ["topic"], registry=REGISTRY
)
APPLIED, SEEN, DEAD = "applied", "seen", "dead"


def subscribed(topic: str) -> None:
    """The topic is read by this process."""
    for outcome in (APPLIED, SEEN, DEAD):
        records.labels(topic, outcome)
    for reason in Reason:
        dead_letters.labels(topic, reason.value)
    page_failures.labels(topic)


def applied(topic: str, counts: PageCounts, reasons: Mapping[str, int], seconds: float) -> None:
    """A page is committed; it took so long. `reasons`: how many of its records became dead letters for which."""
    records.labels(topic, APPLIED).inc(counts.applied)
    records.labels(topic, SEEN).inc(counts.seen)
    records.labels(topic, DEAD).inc(counts.dead)
    page_seconds.observe(seconds)
    for reason, times in reasons.items():
        dead_letters.labels(topic, reason).inc(times)


def failed(topic: str) -> None:
    """A page was rolled back."""
    page_failures.labels(topic).inc()


def nobody_reads() -> None:
    """Until the next `standing`, nothing is known about how far the readers are."""
    lag.clear()
    held.clear()


def standing(topic: str, *, behind: int, held_partitions: int) -> None:
    """How far the topic's reader is behind now, and how much of it is held."""
    lag.labels(topic).set(behind)
    held.labels(topic).set(held_partitions)
