"""What every process tells of itself: its version, whether it is ready, and its connections to PostgreSQL."""

from collections.abc import Iterator
from importlib.metadata import version

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cadence_engine.health import Readiness
from cadence_engine.metrics.registry import REGISTRY
from cadence_engine.storage.connection import Pool


class Process(Collector):
    """Asked when Prometheus asks, so that nobody has to keep it up to date."""

    def __init__(self) -> None:
        self._name = ""
        self._readiness: Readiness | None = None
        self._pools: dict[str, Pool] = {}

    def begins(self, name: str, readiness: Readiness) -> None:
        """The process is called so, and says there how it is."""
        self._name = name
        self._readiness = readiness

    def connects(self, use: str, pool: Pool) -> None:
        """It has these connections, for this use."""
        self._pools[use] = pool

    def collect(self) -> Iterator[Metric]:
        """The present state."""
        build = GaugeMetricFamily(
            "cadence_build_info", "Always 1: which program and which version this is.", labels=["process", "version"]
        )
        build.add_metric([self._name, version("cadence-engine")], 1)
        yield build
        ready = self._readiness is not None and self._readiness.ready
        yield GaugeMetricFamily(
            "cadence_ready", "1 while the process can do its work; /health/ready says why not.", ready
        )
        connections = GaugeMetricFamily(
            "cadence_pool_connections", "Open connections to PostgreSQL.", labels=["pool", "state"]
        )
        limit = GaugeMetricFamily(
            "cadence_pool_connections_limit", "How many connections the pool may open.", labels=["pool"]
        )
        for use, pool in self._pools.items():
            connections.add_metric([use, "idle"], pool.get_idle_size())
            connections.add_metric([use, "used"], pool.get_size() - pool.get_idle_size())
            limit.add_metric([use], pool.get_max_size())
        yield connections
        yield limit


PROCESS = Process()
REGISTRY.register(PROCESS)
