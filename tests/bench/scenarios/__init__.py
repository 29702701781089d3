"""What a plain path does not show: crowds, size, age, lateness, and what it all costs."""

from collections.abc import Mapping, Sequence

from tests.bench.scenarios import answers, costs, detector, flood, footprint, lateness, old_transaction, size
from tests.bench.scenarios.scenario import Finding, Scenario, Tell

__all__ = ["FULL", "SCENARIOS", "SIZES", "SMALL", "Finding", "Scenario", "Tell"]

SMALL: Sequence[Scenario] = (
    flood.scenario(flood.Size(steps=50_000)),
    lateness.scenario(lateness.Size(rows=20_000, seconds=10)),
    detector.scenario(detector.Size(contacts=50_000)),
    old_transaction.scenario(old_transaction.Size(minutes=1, enrollments=200_000)),
    size.scenario(size.Size(many=500_000, rounds=1)),
    costs.scenario(costs.Size(steps=20_000)),
    footprint.scenario(footprint.Size(many=100_000)),
    answers.scenario(answers.Size(many=50_000, asked=5)),
)
"""To see that they work: a minute or two each. Their figures are not those that the goals are about."""

SCENARIOS: Sequence[Scenario] = (
    flood.scenario(),
    lateness.scenario(),
    detector.scenario(),
    old_transaction.scenario(),
    size.scenario(),
    costs.scenario(),
    footprint.scenario(),
    answers.scenario(),
)
"""Up to ten minutes each on two cores."""

FULL: Sequence[Scenario] = (
    flood.scenario(),
    lateness.scenario(),
    detector.scenario(detector.Size(runs=3)),
    old_transaction.scenario(),
    size.scenario(size.Size(many=10_000_000)),
    costs.scenario(costs.Size(steps=1_000_000)),
    footprint.scenario(footprint.Size(many=10_000_000)),
    answers.scenario(answers.Size(many=10_000_000)),
)
"""As large as the goals say: it takes 20 GB of disk."""

SIZES: Mapping[str, Sequence[Scenario]] = {"small": SMALL, "usual": SCENARIOS, "full": FULL}
