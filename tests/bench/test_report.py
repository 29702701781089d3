"""What is shown of a benchmark: a miss as a miss, in the table, in the JSON and in the chart."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from tests.bench import chart, outcome
from tests.bench.machine import Machine
from tests.bench.outcome import Logged
from tests.bench.path import Measured, MeasuredPath, Rival
from tests.bench.report import WIDTH_IN_PIPE, Report
from tests.bench.runner import Match, Result
from tests.bench.scenarios import Finding, Scenario
from tests.bench.stage import BenchError, Stage

MACHINE = Machine("2026-11-23T12:00:00+00:00", 2, 8, "here", 0.1, dict.fromkeys(("PostgreSQL", "Valkey", "Kafka"), "1"))
SVG = "{http://www.w3.org/2000/svg}"


async def never(stage: Stage, rows: int) -> Measured:
    raise NotImplementedError


async def nothing(stage: Stage, tell: object) -> Sequence[Finding]:
    raise NotImplementedError


def result() -> Result:
    """The engine at 1,000 and 1,200 rows/s; half the raw limit where 0.7 is wanted, fifty times a job's rate."""
    rivals = [
        Rival("raw", "raw SQL", never, goal=0.7, is_limit=True),
        Rival("job", "a <job> a step", never, goal=40),
        Rival("other", "another", never),
    ]
    engine = [Measured(1_000, 1.0), Measured(1_200, 1.0)]
    rates = [(2_000, 2_400), (20, 24), (500, 600)]
    matches = [
        Match(rival, engine, [Measured(rate, 1.0) for rate in both]) for rival, both in zip(rivals, rates, strict=True)
    ]
    return Result(MeasuredPath("due", "due to log", never, rivals), engine, matches)


def report() -> Report:
    late = Finding("p99", 1.5, "s", "< 1 s", met=False)
    return Report(MACHINE, [result()], {Scenario("late", "lateness", nothing): [late]})


def test_table_shows_ratios_with_goals_and_a_miss_as_a_miss() -> None:
    shown = io.StringIO()

    report().show(Console(file=shown, width=WIDTH_IN_PIPE))

    lines = {name: line for line in shown.getvalue().splitlines() for name in ("raw SQL", "job", "p99") if name in line}
    assert [part for part in ("0.50", ">= 0.7", "MISSED") if part not in lines["raw SQL"]] == []
    assert [part for part in ("50.00", ">= 40", "met") if part not in lines["job"]] == []
    assert [part for part in ("1.5 s", "< 1 s", "MISSED") if part not in lines["p99"]] == []


def test_json_has_machine_every_run_and_whether_goals_are_met(tmp_path: Path) -> None:
    report().write_json(tmp_path / "bench.json")

    told = json.loads((tmp_path / "bench.json").read_text())
    raw, job, other = told["paths"][0]["rivals"]
    assert told["machine"]["cores"] == 2
    assert (raw["ratios"], raw["median_ratio"], raw["goal"], raw["met"]) == ([0.5, 0.5], 0.5, 0.7, False)
    assert (job["rows_per_second"], job["met"], other["met"]) == ([20, 24], True, None)
    assert told["scenarios"][0]["findings"][0]["met"] is False


def test_chart_has_a_bar_for_each_rival_and_a_line_for_each_goal(tmp_path: Path) -> None:
    chart.write(tmp_path / "bench.svg", MACHINE, [result()])

    drawn = ElementTree.parse(tmp_path / "bench.svg")  # noqa: S314  # our own
    kinds = [each.get("class", "") for each in drawn.iter() if each.tag in (f"{SVG}rect", f"{SVG}line")]
    assert sorted(kind for kind in kinds if kind not in ("page", "axis")) == ["bar", "goal", "goal", "missed", "open"]
    assert any("goal 0.7: missed" in (text.text or "") for text in drawn.iter(f"{SVG}text"))


def test_a_rival_that_did_less_is_no_rival() -> None:
    ours = {"step": Logged(1_000, ("a", "b"), 100.0)}

    outcome.same_work(ours, {"step": Logged(500, ("a", "b"), 104.0)}, share=0.5, rival="half")
    for theirs in (
        {},
        {"step": Logged(499, ("a", "b"), 100.0)},
        {"step": Logged(500, ("a",), 100.0)},
        {"step": Logged(500, ("a", "b"), 94.0)},
    ):
        with pytest.raises(BenchError, match="half"):
            outcome.same_work(ours, theirs, share=0.5, rival="half")
