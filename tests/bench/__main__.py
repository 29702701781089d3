"""`make bench`, also `python -m tests.bench`: measures on embedded servers, or on those that the environment names."""

import asyncio
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cadence_engine.devstack.errors import DevstackError
from cadence_engine.devstack.servers import Servers, running
from tests.bench import (
    chart,
    consumed_to_enrolled,
    due_to_kafka,
    due_to_log,
    read_to_parsed,
    reply_to_cancelled,
    report,
    runner,
)
from tests.bench.machine import look_at
from tests.bench.path import MeasuredPath
from tests.bench.report import Report
from tests.bench.scenarios import SCENARIOS, SIZES, Scenario
from tests.bench.stage import BenchError, stage

ROOT = Path(__file__).parent.parent.parent
PATHS = {
    module.PATH.name: module.PATH
    for module in (read_to_parsed, consumed_to_enrolled, reply_to_cancelled, due_to_log, due_to_kafka)
}
RIVALS = tuple(dict.fromkeys(rival.name for path in PATHS.values() for rival in path.rivals))
SCENARIO_NAMES = tuple(scenario.name for scenario in SCENARIOS)


class Size(StrEnum):
    """How large the scenarios are."""

    SMALL = "small"
    USUAL = "usual"
    FULL = "full"


Only = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help=f"Paths: {', '.join(PATHS)}. Scenarios, which take minutes each: {', '.join(SCENARIO_NAMES)}. "
        "May be repeated; without it all paths are measured.",
    ),
]
Everything = Annotated[bool, typer.Option("--everything", help="All paths and all scenarios: an hour or more.")]
Rivals = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help=f"Only these rivals, of {', '.join(RIVALS)}. May be repeated; without it all."),
]
Rows = Annotated[
    int, typer.Option(min=1_000, help="Rows of each measurement of a path; slow rivals do fewer, quick paths more.")
]
Runs = Annotated[int, typer.Option(min=1, help="The engine and its rivals take turns so many times.")]
Sized = Annotated[
    Size,
    typer.Option(
        help="Of the scenarios. small: to see that they work; full: as large as the goals say, with 20 GB of disk."
    ),
]
Json = Annotated[Path | None, typer.Option(metavar="FILE", help="Write all figures there, with machine and versions.")]
Svg = Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the ratios and their goals there.")]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to measure, and how often."""

    paths: Sequence[MeasuredPath]
    rivals: Sequence[str]
    rows: int
    runs: int
    scenarios: Sequence[Scenario]

    @property
    def measurements(self) -> int:
        return runner.count(self.paths, self.rivals, self.runs) + len(self.scenarios)


def main(
    only: Only = None,
    everything: Everything = False,
    rivals: Rivals = None,
    rows: Rows = 20_000,
    runs: Runs = 3,
    size: Sized = Size.USUAL,
    json: Json = None,
    svg: Svg = None,
) -> None:
    """How fast the engine is beside the least that does the same work, and beside other ways of doing it.

    Each path is measured in turn with its rivals. The least: SQL that writes the same rows on two connections, or a
    bare Kafka client. Other ways: the original's loop, a job a step in arq, procrastinate or pgqueuer.

    A measurement is shown only after its outcome was checked: counts, order, nothing twice. Compare ratios: the rates
    are this machine's, and nothing else should run on it meanwhile.
    """
    known = (*PATHS, *SCENARIO_NAMES)
    names = _known("--only", only or (known if everything else PATHS), known)
    wanted = Wanted(
        paths=[PATHS[name] for name in names if name in PATHS],
        rivals=_known("--rivals", rivals or RIVALS, RIVALS),
        rows=rows,
        runs=runs,
        scenarios=[scenario for scenario in SIZES[size] if scenario.name in names],
    )
    try:
        with running(ROOT) as servers:
            measured = asyncio.run(_measure(servers, wanted))
    except (BenchError, DevstackError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
    console = Console()
    measured.show(console if console.is_terminal else Console(width=report.WIDTH_IN_PIPE))
    if json is not None:
        measured.write_json(json)
    if svg is not None and measured.results:
        chart.write(svg, measured.machine, measured.results)


async def _measure(servers: Servers, wanted: Wanted) -> Report:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("measuring", total=wanted.measurements)

        def tell(line: str) -> None:
            console.print(line, highlight=False, soft_wrap=True)

        def tell_done(line: str) -> None:
            tell(line)
            progress.advance(task)

        machine = await look_at(servers)
        async with stage(servers) as ready:
            results = await runner.measure(ready, wanted.paths, wanted.rivals, wanted.rows, wanted.runs, tell_done)
            findings = {}
            for scenario in wanted.scenarios:
                findings[scenario] = await scenario.measure(ready, tell)
                tell_done(f"{scenario.what}: measured")
        return Report(machine, results, findings)


def _known(option: str, given: Iterable[str], known: Sequence[str]) -> list[str]:
    """Raises typer.BadParameter for a name that is none of these."""
    names = list(dict.fromkeys(given))
    if unknown := set(names) - set(known):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: it is one of {', '.join(known)}", param_hint=option)
    return names


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, rich_markup_mode="markdown")  # which joins the lines of a paragraph
    app.command()(main)
    app()
