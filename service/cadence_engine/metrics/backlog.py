"""What the database holds, as a worker read it last. Every worker shows the same: take the `max` of them."""

from collections.abc import Iterator
from time import monotonic

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cadence_engine.metrics.registry import REGISTRY
from cadence_engine.storage.reports.backlog import COUNTED_AT_MOST, Backlog

FORGOTTEN_AFTER = 4  # readings that failed: then nothing is shown rather than what was true once


class Measured(Collector):
    """The newest reading."""

    def __init__(self) -> None:
        self._backlog: Backlog | None = None
        self._valid_until = 0.0

    def set(self, backlog: Backlog, *, every: float) -> None:
        """It was read just now, and is read again every so many seconds."""
        self._backlog = backlog
        self._valid_until = monotonic() + every * FORGOTTEN_AFTER

    def describe(self) -> Iterator[Metric]:
        """The names, also while there is no reading."""
        return self._metrics(Backlog.empty())

    def collect(self) -> Iterator[Metric]:
        """Nothing where the reading is too old."""
        if self._backlog is not None and monotonic() < self._valid_until:
            yield from self._metrics(self._backlog)

    def _metrics(self, backlog: Backlog) -> Iterator[Metric]:
        gauge = GaugeMetricFamily
        most = f"counted up to {COUNTED_AT_MOST:,}"
        yield gauge(
            "cadence_due_steps",
            f"Steps that are due and not decided, but those of halted companies, {most}.",
            backlog.due,
        )
        yield gauge(
            "cadence_oldest_due_step_age_seconds", "For how long the longest due step is due.", backlog.oldest_due_for
        )
        yield gauge("cadence_unpublished_batches", f"Batches of the log before the relay, {most}.", backlog.unpublished)
        yield gauge(
            "cadence_oldest_unpublished_batch_age_seconds",
            "For how long the log's oldest batch waits for the relay.",
            backlog.oldest_unpublished_for,
        )
        yield gauge(
            "cadence_watermark_lag_seconds",
            "How far the replies that are surely applied lie back.",
            backlog.replies_behind,
        )
        yield gauge("cadence_halted", "1 while an operator holds the steps of every company.", backlog.halted)
        yield gauge("cadence_halted_companies", "Companies whose steps an operator holds.", backlog.halted_companies)
        parked = gauge(
            "cadence_parked_enrollments",
            f"Enrollments that wait for something to be mended, {most}.",
            labels=["reason"],
        )
        for reason, count in backlog.parked.items():
            parked.add_metric([reason], count)
        yield parked


MEASURED = Measured()
REGISTRY.register(MEASURED)
