"""`make bench`, also `python -m tests.bench`: measures on embedded servers, or on those that the environment names."""

import asyncio
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
    memory,
    read_to_parsed,
    reply_to_cancelled,
    report,
    runner,
)
from tests.bench.machine import look_at
from tests.bench.memory import DUE_SOON
from tests.bench.path import MeasuredPath
from tests.bench.report import Report
from tests.bench.scenarios import SCENARIOS, Scenario
from tests.bench.stage import BenchError, stage

ROOT = Path(__file__).parent.parent.parent
PATHS = {
    module.PATH.name: module.PATH
    for module in (read_to_parsed, consumed_to_enrolled, reply_to_cancelled, due_to_log, due_to_kafka)
}
RIVALS = tuple(dict.fromkeys(rival.name for path in PATHS.values() for rival in path.rivals))
LONG = {scenario.name: scenario for scenario in SCENARIOS}
MEMORY = "memory"
USUAL = (*PATHS, MEMORY)
FEW = 10_000

Only = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help=f"Paths: {', '.join(PATHS)}. Memory: {MEMORY}. Scenarios, which take minutes each: {', '.join(LONG)}. "
        "May be repeated; without it all paths and the memory are measured.",
    ),
]
Everything = Annotated[bool, typer.Option("--everything", help="All paths, the memory and all scenarios: an hour.")]
Rivals = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help=f"Only these rivals, of {', '.join(RIVALS)}. May be repeated; without it all."),
]
Rows = Annotated[
    int, typer.Option(min=1_000, help="Rows of each measurement of a path; slow rivals do fewer, quick paths more.")
]
Runs = Annotated[int, typer.Option(min=1, help="The engine and its rivals take turns so many times.")]
Enrollments = Annotated[int, typer.Option(min=FEW, help="Live enrollments for the memory.")]
Json = Annotated[Path | None, typer.Option(metavar="FILE", help="Write all figures there, with machine and versions.")]
Svg = Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the ratios and their goals there.")]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to measure, and how often."""

    paths: Sequence[MeasuredPath]
    rivals: Sequence[str]
    rows: int
    runs: int
    memory_of: Sequence[int]
    scenarios: Sequence[Scenario]

    @property
    def measurements(self) -> int:
        return runner.count(self.paths, self.rivals, self.runs) + len(self.memory_of) + len(self.scenarios)


def main(
    only: Only = None,
    everything: Everything = False,
    rivals: Rivals = None,
    rows: Rows = 20_000,
    runs: Runs = 3,
    enrollments: Enrollments = 1_000_000,
    json: Json = None,
    svg: Svg = None,
) -> None:
    """How fast the engine is beside the least that does the same work, and beside other ways of doing it.

    Each path is measured in turn with its rivals. The least: SQL that writes the same rows on two connections, or a
    bare Kafka client. Other ways: the original's loop, a job a step in arq, procrastinate or pgqueuer.

    A measurement is shown only after its outcome was checked: counts, order, nothing twice. Compare ratios: the rates
    are this machine's, and nothing else should run on it meanwhile.
    """
    known = (*USUAL, *LONG)
    names = dict.fromkeys(_known("--only", only or (known if everything else USUAL), known))
    wanted = Wanted(
        paths=[PATHS[name] for name in names if name in PATHS],
        rivals=_known("--rivals", rivals or RIVALS, RIVALS),
        rows=rows,
        runs=runs,
        memory_of=tuple(dict.fromkeys((FEW, enrollments))) if MEMORY in names else (),
        scenarios=[LONG[name] for name in names if name in LONG],
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
            memories = []
            for size in wanted.memory_of:
                memories.append(await memory.measure(ready, size))
                tell_done(f"memory with {size:,} live enrollments, {DUE_SOON:,} of them due within a minute: measured")
            findings = {}
            for scenario in wanted.scenarios:
                findings[scenario] = await scenario.measure(ready, tell)
                tell_done(f"{scenario.what}: measured")
        return Report(machine, results, memories, findings)


def _known(option: str, given: Iterable[str], known: Sequence[str]) -> list[str]:
    """Raises typer.BadParameter for a name that is none of these."""
    names = list(given)
    if unknown := set(names) - set(known):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: it is one of {', '.join(known)}", param_hint=option)
    return names


if __name__ == "__main__":
    app = typer.Typer(rich_markup_mode="markdown")  # which joins the lines of a paragraph
    app.command()(main)
    app()
