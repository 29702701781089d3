"""`make bench`, also `python -m tests.bench`: measures on embedded servers, or on those that the environment names."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cadence_engine.devstack.errors import DevstackError
from cadence_engine.devstack.servers import Servers, running
from tests.bench import consumed_to_enrolled, due_to_kafka, due_to_log, memory, reply_to_cancelled, report, runner
from tests.bench.memory import DUE_SOON, Memory
from tests.bench.rivals import MeasuredPath
from tests.bench.runner import Result
from tests.bench.stage import BenchError, stage

ROOT = Path(__file__).parent.parent.parent
PATHS = {
    module.PATH.name: module.PATH for module in (consumed_to_enrolled, reply_to_cancelled, due_to_log, due_to_kafka)
}
MEMORY = "memory"
FEW = 10_000

Only = Annotated[list[str] | None, typer.Option(help=f"One of {', '.join([*PATHS, MEMORY])}; may be repeated.")]
Rows = Annotated[int, typer.Option(min=1_000, help="Rows of each measurement of a path.")]
Runs = Annotated[int, typer.Option(min=1, help="Engine and raw SQL take turns so many times.")]
Enrollments = Annotated[int, typer.Option(min=FEW, help="Live enrollments for the memory.")]
Json = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures there, too.")]


def main(
    only: Only = None, rows: Rows = 20_000, runs: Runs = 3, enrollments: Enrollments = 1_000_000, json: Json = None
) -> None:
    """Rows per second of each path of the engine beside the least SQL that writes the same rows, and memory.

    A measurement is shown only after its outcome was checked. Compare ratios: the rates are this machine's.
    """
    wanted = dict.fromkeys(only or [*PATHS, MEMORY])
    if unknown := wanted.keys() - {*PATHS, MEMORY}:
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: it is one of {', '.join([*PATHS, MEMORY])}")
    paths = [PATHS[name] for name in wanted if name in PATHS]
    sizes = list(dict.fromkeys((FEW, enrollments))) if MEMORY in wanted else []
    try:
        with running(ROOT) as servers:
            results, memories = asyncio.run(_measure(servers, paths, rows, runs, sizes))
    except (BenchError, DevstackError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
    console = Console()
    report.show(console if console.is_terminal else Console(width=report.WIDTH_IN_PIPE), results, memories)
    if json is not None:
        report.write_json(json, results, memories)


async def _measure(
    servers: Servers, paths: list[MeasuredPath], rows: int, runs: int, sizes: list[int]
) -> tuple[list[Result], list[Memory]]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("measuring", total=2 * len(paths) * runs + len(sizes))

        def tell(line: str) -> None:
            console.print(line, highlight=False, soft_wrap=True)
            progress.advance(task)

        async with stage(servers) as ready:
            results = await runner.measure(ready, paths, rows, runs, tell)
            memories = []
            for size in sizes:
                memories.append(await memory.measure(ready, size))
                tell(f"memory with {size:,} live enrollments, {DUE_SOON:,} of them due within a minute: measured")
            return results, memories


if __name__ == "__main__":
    typer.run(main)
