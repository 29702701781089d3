"""What was measured, as tables for people and as JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.bench.machine import Machine
from tests.bench.runner import Result
from tests.bench.scenarios import Finding, Scenario

WIDTH_IN_PIPE = 120
MET = {True: "met", False: "[bold]MISSED[/]", None: ""}


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that one call measured."""

    machine: Machine
    results: Sequence[Result]
    findings: Mapping[Scenario, Sequence[Finding]]

    def show(self, console: Console) -> None:
        """The tables, readable in a pipe as well."""
        console.print(str(self.machine), highlight=False)
        if self.results:
            console.print(_rates(self.results))
            for result in self.results:
                if result.path.note:
                    console.print(f"{result.path.what}: {result.path.note}", style="dim", soft_wrap=True)
        if self.findings:
            console.print(_findings(self.findings))

    def write_json(self, path: Path) -> None:
        document: Mapping[str, object] = {
            "machine": self.machine.as_json(),
            "paths": [result.as_json() for result in self.results],
            "scenarios": [
                {**scenario.as_json(), "findings": [finding.as_json() for finding in findings]}
                for scenario, findings in self.findings.items()
            ],
        }
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _rates(results: Sequence[Result]) -> Table:
    title = f"rows/s, medians of {len(results[0].engine)} runs; ratios are engine / rival, run by run"
    table = Table(title=title, title_justify="left")
    table.add_column("path")
    table.add_column("rival")
    for heading in ("engine", "rival's", "ratio", "of runs", "goal", ""):
        table.add_column(heading, justify="right")
    for result in results:
        engine = f"{median(each.rate for each in result.engine):,.0f}"
        if not result.matches:
            table.add_row(result.path.what, "", engine, end_section=True)
        for place, match in enumerate(result.matches):
            table.add_row(
                "" if place else result.path.what,
                match.rival.what,
                "" if place else engine,
                f"{median(each.rate for each in match.measured):,.0f}",
                f"{match.ratio:.2f}",
                f"{min(match.ratios):.2f} - {max(match.ratios):.2f}",
                "" if match.rival.goal is None else f">= {match.rival.goal:g}",
                MET[match.met],
                end_section=place + 1 == len(result.matches),
            )
        for match in result.matches:
            if repeated := [each.repeated for each in match.measured if each.repeated]:
                table.caption = f"{table.caption or ''}{match.rival.what} published records twice: {repeated}. "
    return table


def _findings(findings: Mapping[Scenario, Sequence[Finding]]) -> Table:
    table = Table(title="scenarios", title_justify="left")
    table.add_column("scenario")
    table.add_column("figure")
    for heading in ("value", "goal", ""):
        table.add_column(heading, justify="right")
    for scenario, found in findings.items():
        for place, finding in enumerate(found):
            table.add_row(
                "" if place else scenario.what,
                finding.what,
                f"{_figure(finding.value)} {finding.unit}".rstrip(),
                finding.goal,
                MET[finding.met],
                end_section=place + 1 == len(found),
            )
    return table


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
