"""What the relay does."""

from collections import Counter as Tally
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from operator import attrgetter

from prometheus_client import Counter, Gauge, Histogram

from cadence_engine.domain.events import UNPUBLISHED
from cadence_engine.metrics.registry import BRIEF_SECONDS, REGISTRY
from cadence_engine.storage.relay import LoggedEvent

transactions = Counter("cadence_relay_transactions", "Kafka transactions that were committed.", registry=REGISTRY)
transaction_seconds = Histogram(
    "cadence_relay_transaction_seconds",
    "How long one took, from reading the log to committing what was published.",
    buckets=BRIEF_SECONDS,
    registry=REGISTRY,
)
published = Counter("cadence_relay_events", "Events that were published, by type.", ["type"], registry=REGISTRY)
doubts = Counter(
    "cadence_relay_doubts",
    "Attempts that ended in an error, so that a new producer looks at the mark.",
    registry=REGISTRY,
)
leads = Gauge("cadence_relay_leading", "1 in the replica that publishes, 0 in those standing by.", registry=REGISTRY)

type_of = attrgetter("type")


def committed(events: Iterable[LoggedEvent], seconds: float) -> None:
    """A transaction with these events is on Kafka, and the database knows; it took so long."""
    transactions.inc()
    transaction_seconds.observe(seconds)
    for type_, times in Tally(map(type_of, events)).items():
        if type_ not in UNPUBLISHED:
            published.labels(type_).inc(times)


def doubted() -> None:
    """An attempt failed."""
    doubts.inc()


@contextmanager
def leading() -> Iterator[None]:
    """This replica is the one that publishes, while the context lasts."""
    leads.set(1)
    try:
        yield
    finally:
        leads.set(0)
