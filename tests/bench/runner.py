"""Interleaves the engine with its rivals on each path, and keeps what they did."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from tests.bench import outcome
from tests.bench.path import Measured, MeasuredPath, Rival
from tests.bench.stage import BenchError, Stage

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Match:
    """The engine beside one rival; the nth of both were measured in the same run."""

    rival: Rival
    engine: Sequence[Measured]
    measured: list[Measured] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """Engine to rival, run by run."""
        return [engine.rate / rival.rate for engine, rival in zip(self.engine, self.measured, strict=True)]

    @property
    def ratio(self) -> float:
        return median(self.ratios)

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        return None if self.rival.goal is None else self.ratio >= self.rival.goal

    def as_json(self) -> Mapping[str, object]:
        return {
            "rival": self.rival.what,
            **_rates(self.measured),
            "repeated_records": [each.repeated for each in self.measured],
            "ratios": [round(ratio, 3) for ratio in self.ratios],
            "median_ratio": round(self.ratio, 3),
            "goal": self.rival.goal,
            "met": self.met,
        }


@dataclass(frozen=True, slots=True)
class Result:
    """All measurements of one path."""

    path: MeasuredPath
    engine: list[Measured]
    matches: Sequence[Match]

    def as_json(self) -> Mapping[str, object]:
        return {
            "path": self.path.what,
            "engine": _rates(self.engine),
            "rivals": [match.as_json() for match in self.matches],
        }


async def measure(
    stage: Stage, paths: Sequence[MeasuredPath], rivals: Sequence[str], rows: int, runs: int, tell: Tell
) -> list[Result]:
    """Every path in every run, the engine and each rival named, one after the other; who goes first alternates.

    Raises BenchError where an outcome is wrong, or where a rival did not do the engine's work.
    """
    results = [_result(path, rivals) for path in paths]
    for run in range(runs):
        for result in results:
            rows_here = rows * result.path.rows_for_one
            sides = [
                ("engine", result.path.engine, rows_here, result.engine),
                *((m.rival.what, m.rival.measure, m.rival.rows(rows_here), m.measured) for m in result.matches),
            ]
            for name, side, its_rows, measurements in reversed(sides) if run % 2 else sides:
                measured = await side(stage, its_rows)
                measurements.append(measured)
                tell(f"{result.path.what}, {name}, run {run + 1} of {runs}: {measured.rate:,.0f} rows/s")
            for match in result.matches:
                _compare(result.engine[-1], match.measured[-1], match.rival.what)
    return results


def count(paths: Sequence[MeasuredPath], rivals: Sequence[str], runs: int) -> int:
    """How many measurements that makes."""
    return runs * sum(1 + len(_result(path, rivals).matches) for path in paths)


def _compare(engine: Measured, rival: Measured, name: str) -> None:
    """Raises BenchError unless the rival did its share of what the engine did."""
    share = rival.rows / engine.rows
    done = [(ours, theirs) for ours, theirs in zip(engine.done, rival.done, strict=True) if theirs]
    if not done:
        raise BenchError(f"{name} shows nothing of what it did")
    for ours, theirs in done:
        outcome.same_work(ours, theirs, share=share, rival=name)


def _result(path: MeasuredPath, rivals: Sequence[str]) -> Result:
    engine: list[Measured] = []
    return Result(path, engine, [Match(rival, engine) for rival in path.rivals if rival.name in rivals])


def _rates(measured: Sequence[Measured]) -> Mapping[str, object]:
    return {
        "rows": measured[0].rows,
        "seconds": [round(each.seconds, 2) for each in measured],
        "rows_per_second": [round(each.rate) for each in measured],
        "median_rows_per_second": round(median(each.rate for each in measured)),
    }
