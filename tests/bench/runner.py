"""Interleaves the rivals of each path, and keeps what they did."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from tests.bench import outcome
from tests.bench.rivals import Measured, MeasuredPath
from tests.bench.stage import Stage

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Result:
    """All measurements of one path; the nth of `engine` and of `raw` were made one after the other."""

    path: MeasuredPath
    rows: int
    engine: list[Measured] = field(default_factory=list)
    raw: list[Measured] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """Engine to raw, run by run."""
        return [engine.rate / raw.rate for engine, raw in zip(self.engine, self.raw, strict=True)]

    def as_json(self) -> Mapping[str, object]:
        return {
            "path": self.path.what,
            "rows": self.rows,
            "engine_rows_per_second": [round(each.rate) for each in self.engine],
            "raw_rows_per_second": [round(each.rate) for each in self.raw],
            "ratios": [round(ratio, 3) for ratio in self.ratios],
            "median_engine_rows_per_second": round(median(each.rate for each in self.engine)),
            "median_raw_rows_per_second": round(median(each.rate for each in self.raw)),
            "median_ratio": round(median(self.ratios), 3),
        }


async def measure(stage: Stage, paths: Sequence[MeasuredPath], rows: int, runs: int, tell: Tell) -> list[Result]:
    """Every path in every run, each time with its rival; who goes first alternates.

    Raises BenchError where an outcome is wrong, or where the rivals did not do the same work.
    """
    results = [Result(path, rows) for path in paths]
    for run in range(runs):
        for result in results:
            sides = [("engine", result.path.engine, result.engine), ("raw", result.path.raw, result.raw)]
            for name, rival, measurements in reversed(sides) if run % 2 else sides:
                measured = await rival(stage, rows)
                measurements.append(measured)
                tell(f"{result.path.what}, {name}, run {run + 1} of {runs}: {measured.rate:,.0f} rows/s")
            outcome.same_work(result.engine[-1].log, result.raw[-1].log)
    return results
