"""What is measured: a path, its engine side and its raw side."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.bench.outcome import Log
from tests.bench.stage import Stage


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement whose outcome was checked; `log` is what it wrote."""

    rows: int
    seconds: float
    log: Log

    @property
    def rate(self) -> float:
        """Rows per second."""
        return self.rows / self.seconds


Rival = Callable[[Stage, int], Awaitable[Measured]]


@dataclass(frozen=True, slots=True)
class MeasuredPath:
    """`what` says from where to where; both rivals take a stage and the number of rows."""

    name: str
    what: str
    engine: Rival
    raw: Rival
