"""`make chaos SEED=n`, also `python -m tests.faults.chaos`: a long run on servers of its own, hurt all the time."""

import asyncio
import logging
import sys
import tempfile
from pathlib import Path
from time import monotonic
from typing import Annotated
from uuid import uuid4

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cadence_engine.devstack.errors import DevstackError
from cadence_engine.devstack.fleet import command
from cadence_engine.devstack.servers import Servers, running
from tests.faults import report, road
from tests.faults.full_run import as_markdown
from tests.faults.load import draw
from tests.faults.mischief import EVERYTHING, Injected, Mischief, Tell, cancel_some
from tests.faults.oracle import judge
from tests.faults.report import Report
from tests.faults.world import SEVERAL, world

ROOT = Path(__file__).parent.parent.parent
SETTLE_WITHIN = 120.0
CONTACTS_PER_SECOND = 2.0
CANCEL_EVERY = 10.0

Seed = Annotated[int, typer.Option(help="The same seed draws the same load and the same faults.")]
Kills = Annotated[int, typer.Option(min=1, help="Faults of all kinds in a run; most are kills.")]
Seconds = Annotated[float, typer.Option(min=5, help="How long load and faults of a run last.")]
Runs = Annotated[int, typer.Option(min=1, help="Runs, each with the seed after the last one's, on new servers.")]
Summary = Annotated[Path | None, typer.Option(help="Write what all runs found to this file, as Markdown.")]


def main(seed: Seed = 1, kills: Kills = 40, seconds: Seconds = 90.0, runs: Runs = 1, summary: Summary = None) -> None:
    """Kill, freeze and restart the engine and its servers under load; the oracle judges what came out.

    A report of each run is written to tests/faults/reports. The exit code is 1 when a promise was broken.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it would tell of every second without Kafka
    reports = []
    try:
        for number in range(seed, seed + runs):
            reports.append(_one_run(number, kills, seconds))
            sys.stdout.write(f"{reports[-1].as_text()}written to {reports[-1].write().relative_to(ROOT)}\n")
            sys.stdout.flush()
            if summary:
                summary.write_text(as_markdown(reports, seconds), encoding="utf-8")
    except DevstackError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
    sys.exit(0 if all(report.is_clean for report in reports) else 1)


def _one_run(seed: int, kills: int, seconds: float) -> Report:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("servers are starting", total=kills)

        def tell(injected: Injected) -> None:
            console.print(f"{injected.at:6.1f} s  {injected.what} {injected.target}", highlight=False)
            progress.update(task, advance=1, description=f"seed {seed}: faults")

        with running(ROOT, {}) as servers:
            return asyncio.run(_run(servers, seed, kills, seconds, tell, console))


async def _run(servers: Servers, seed: int, kills: int, seconds: float, tell: Tell, console: Console) -> Report:
    url = servers.addresses.database_url
    environment = servers.addresses.as_environment()
    await asyncio.to_thread(command, environment, "migrate")
    with tempfile.TemporaryDirectory(dir=servers.directory) as directory:
        async with world(servers, url, f"chaos{uuid4().hex[:6]}.", Path(directory), size=SEVERAL) as around:
            mischief = Mischief(around, seed, EVERYTHING, tell)
            contacts = int(seconds * CONTACTS_PER_SECOND)
            await asyncio.gather(
                around.play(draw(seed, contacts=contacts, seconds=seconds)),
                cancel_some(around, seed, int(seconds / CANCEL_EVERY), seconds),
                mischief.run(kills, seconds),
            )
            console.print("the load is over, the engine comes to rest", highlight=False)
            began = monotonic()
            await around.settle(SETTLE_WITHIN)
            settled_after = monotonic() - began
            history = await around.history()
            blocked = await road.open_transactions(around.bootstrap_servers, around.prefix)
            return report.make(
                seed,
                mischief.injected,
                history,
                around.reader.received,
                judge(history),
                settled_after=settled_after,
                blocked=blocked,
                ended=mischief.found_ended,
            )


if __name__ == "__main__":
    typer.run(main)
