"""What a scenario is, and what it finds."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from tests.bench.seed import Tell
from tests.bench.stage import Stage

__all__ = ["Finding", "Measure", "Scenario", "Tell", "at_least", "below"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure. `goal` says in words what it should be ("" where nothing is asked), `met` whether it is."""

    what: str
    value: float
    unit: str = ""
    goal: str = ""
    met: bool | None = None

    def as_json(self) -> Mapping[str, object]:
        return asdict(self)


def below(what: str, value: float, limit: float, unit: str = "") -> Finding:
    """A figure that has to stay below `limit`."""
    return Finding(what, value, unit, f"< {limit:g} {unit}".rstrip(), value < limit)


def at_least(what: str, value: float, limit: float, unit: str = "") -> Finding:
    """A figure that has to reach `limit`."""
    return Finding(what, value, unit, f">= {limit:g} {unit}".rstrip(), value >= limit)


Measure = Callable[[Stage, Tell], Awaitable[Sequence[Finding]]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """Something that is measured beside the plain paths. `measure` raises BenchError where an outcome is wrong."""

    name: str
    what: str
    measure: Measure

    def as_json(self) -> Mapping[str, object]:
        return {"name": self.name, "what": self.what}
