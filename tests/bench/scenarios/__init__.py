"""What a plain path does not show: crowds, size, age, lateness, and what it all costs."""

from collections.abc import Sequence

from tests.bench.scenarios.scenario import Finding, Scenario, Tell

__all__ = ["SCENARIOS", "Finding", "Scenario", "Tell"]

SCENARIOS: Sequence[Scenario] = ()
