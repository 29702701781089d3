"""What is measured: a path of the engine, and the rivals that do the same work in another way."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from tests.bench.outcome import Log
from tests.bench.stage import Stage


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement whose outcome was checked: what it logged in the database, and what it published on Kafka.

    `repeated` is how many records came out more than once; the engine's never do.
    """

    rows: int
    seconds: float
    logged: Log = field(default_factory=dict)
    published: Log = field(default_factory=dict)
    repeated: int = 0

    @property
    def done(self) -> tuple[Log, Log]:
        return self.logged, self.published

    @property
    def rate(self) -> float:
        """Rows per second."""
        return self.rows / self.seconds


Measure = Callable[[Stage, int], Awaitable[Measured]]
"""Takes a stage and a number of rows. Raises BenchError where the outcome is wrong."""


@dataclass(frozen=True, slots=True)
class Rival:
    """`what` names it in a table; `goal` is the least ratio of the engine's rate to its rate."""

    name: str
    what: str
    measure: Measure
    goal: float | None = None
    rows_at_most: int | None = None
    """For the slow: enough of them to be steady, as a rate is a rate."""
    is_limit: bool = False
    """Not another way to do the work, but the least that it takes."""

    def rows(self, of_engine: int) -> int:
        return of_engine if self.rows_at_most is None else min(of_engine, self.rows_at_most)


@dataclass(frozen=True, slots=True)
class MeasuredPath:
    """`what` says from where to where, `note` what a reader of the ratios should know."""

    name: str
    what: str
    engine: Measure
    rivals: Sequence[Rival]
    note: str = ""
    rows_for_one: int = 1
    """How many rows for each that is asked for: more where a path is quick."""


def raw(measure: Measure, goal: float) -> Rival:
    """The raw limit: the least SQL that writes the same rows."""
    return Rival("raw", "raw SQL", measure, goal, is_limit=True)
