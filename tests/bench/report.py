"""What was measured, as tables for people and as JSON for programs."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.bench.memory import Memory
from tests.bench.runner import Result

NOTES = {
    "enrolled": "enrolled, cancelled: from visible in Kafka to committed; two consumers, against two connections.",
    "log": "due to log: from the due time to the last commit; two workers, against two connections.",
    "kafka": "due to visible on Kafka: two workers, relay and consumer share the machine with all servers; raw is the "
    "same SQL as for due to log, and publishes nothing.",
}
WIDTH_IN_PIPE = 100


def show(console: Console, results: Sequence[Result], memories: Sequence[Memory]) -> None:
    """The tables, readable in a pipe as well."""
    if results:
        console.print(_rates(results))
        for result in results:
            if note := NOTES.get(result.path.name):
                console.print(note, style="dim", soft_wrap=True)
    if memories:
        console.print(_memory(memories))


def write_json(path: Path, results: Sequence[Result], memories: Sequence[Memory]) -> None:
    document: Mapping[str, object] = {
        "machine": {"cores": os.cpu_count(), "platform": platform.platform(), "python": platform.python_version()},
        "load_average": os.getloadavg(),
        "paths": [result.as_json() for result in results],
        "memory": [memory.as_json() for memory in memories],
    }
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _rates(results: Sequence[Result]) -> Table:
    first = results[0]
    title = f"rows/s, medians of {len(first.engine)} runs of {first.rows:,} rows each, {os.cpu_count()} cores"
    table = Table(title=title, title_justify="left")
    table.add_column("path")
    for heading in ("engine", "raw SQL", "engine / raw", "of runs"):
        table.add_column(heading, justify="right")
    for result in results:
        ratios = result.ratios
        table.add_row(
            result.path.what,
            f"{median(each.rate for each in result.engine):,.0f}",
            f"{median(each.rate for each in result.raw):,.0f}",
            f"{median(ratios):.2f}",
            f"{min(ratios):.2f} - {max(ratios):.2f}",
        )
    return table


def _memory(memories: Sequence[Memory]) -> Table:
    table = Table(
        title="memory while steps run (live enrollments, highest sample, wakeups waiting in Redis)",
        title_justify="left",
    )
    table.add_column("enrollments", justify="right")
    for name in memories[0].resident_mib:
        table.add_column(f"{name} MiB", justify="right")
    for heading in ("Redis KiB", "wakeups", "steps run"):
        table.add_column(heading, justify="right")
    for memory in memories:
        table.add_row(
            f"{memory.enrollments:,}",
            *(f"{resident:.0f}" for resident in memory.resident_mib.values()),
            f"{memory.redis_bytes / 1024:,.0f}",
            f"{memory.wakeups}",
            f"{memory.steps_run:,}",
        )
    return table
