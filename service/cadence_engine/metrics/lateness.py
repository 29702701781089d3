"""How late steps run, put in a histogram batch by batch: one by one it would cost as much as deciding them."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from cadence_engine.metrics.registry import REGISTRY, SECONDS

WIDTHS = [timedelta(seconds=seconds) for seconds in SECONDS]


class Lateness(Collector):
    """A histogram of the seconds between a moment and those before it."""

    def __init__(self, name: str, documentation: str) -> None:
        self._name = name
        self._documentation = documentation
        self._within = [0] * len(SECONDS)
        self._count = 0
        self._sum = 0.0

    def observe(self, due_at: Sequence[datetime], now: datetime) -> None:
        """Each of `due_at` (ascending, aware) is as late as `now` is after it."""
        for index, width in enumerate(WIDTHS):
            self._within[index] += len(due_at) - bisect_left(due_at, now - width)
        self._count += len(due_at)
        self._sum += len(due_at) * now.timestamp() - sum(map(datetime.timestamp, due_at))

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """As Prometheus has histograms: each bucket holds those below it too."""
        buckets = [(str(bound), float(within)) for bound, within in zip(SECONDS, self._within, strict=True)]
        buckets.append(("+Inf", float(self._count)))
        yield HistogramMetricFamily(self._name, self._documentation, buckets=buckets, sum_value=self._sum)


step_lateness = Lateness(
    "cadence_step_lateness_seconds", "Between when a step was due and when it was decided, however long it was held."
)
REGISTRY.register(step_lateness)
