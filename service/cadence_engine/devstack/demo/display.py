"""What the demo shows: live while it runs, and the verdict at the end."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table

from cadence_contracts import topics
from cadence_engine.devstack.demo.playing import Played
from cadence_engine.devstack.demo.seen import Seen, percentile
from cadence_engine.devstack.demo.verdict import Verdict

LINE_EVERY = 3.0
DIFFERENCES_SHOWN = 20
STEPS = 3
"""Of the longest cadence."""


class Display:
    """On a terminal a table that is drawn anew; in a pipe one plain line every few seconds."""

    def __init__(self, console: Console, played: Played, seen: Seen, lines: int) -> None:
        self._console = console
        self._played = played
        self._seen = seen
        self._lines = lines
        self._began = self._said = time.monotonic()
        self._live: Live | None = None

    @contextmanager
    def live(self) -> Iterator[None]:
        """While the context lasts, `show` draws."""
        if not self._console.is_terminal:
            yield
            return
        with Live(self._table(), console=self._console, refresh_per_second=8) as self._live:
            yield
            self._live.update(self._table())

    def show(self) -> None:
        """Draw how it stands now."""
        if self._live is not None:
            self._live.update(self._table())
        elif time.monotonic() - self._said >= LINE_EVERY:
            self._said = time.monotonic()
            self._console.print(self._line(), soft_wrap=True, highlight=False)

    def _line(self) -> str:
        told, sends = self._seen.events(), self._seen.sends()
        steps = "/".join(str(sends[step]) for step in range(STEPS))
        return (
            f"{self._seconds:3.0f} s: {self._played.sent}/{self._lines} records published, "
            f"{told[topics.ENROLLMENT_STARTED]} enrolled, {steps} sent of steps 1/2/3, "
            f"{told['cancelled: replied']} cancelled by a reply, {_otherwise(told)} otherwise, "
            f"{told[topics.ENROLLMENT_COMPLETED]} completed, {len(self._seen.dead_letters)} dead letters, "
            f"{_late(self._seen.lateness())}"
        )

    def _table(self) -> Table:
        per_company = self._by_company()
        table = Table(
            title=f"{self._seconds:.0f} s: {self._played.sent} of {self._lines} records published",
            caption=f"{len(self._seen.dead_letters)} dead letters; {_late(self._seen.lateness())}",
            title_justify="left",
            caption_justify="left",
        )
        table.add_column("company")
        columns = (
            "enrolled",
            *(f"step {step + 1} sent" for step in range(STEPS)),
            "cancelled by reply",
            "otherwise",
            "parked",
            "completed",
        )
        for column in columns:
            table.add_column(column, justify="right")
        for company_id, counts in sorted(per_company.items()):
            table.add_row(company_id, *(str(counts[column]) for column in columns))
        total = sum(per_company.values(), Counter[str]())
        table.add_section()
        table.add_row("all", *(str(total[column]) for column in columns))
        return table

    def _by_company(self) -> dict[str, Counter[str]]:
        companies: dict[str, Counter[str]] = {}
        for trace in self._seen.traces.values():
            if trace.started is None:
                continue
            counts = companies.setdefault(trace.started.company_id, Counter())
            counts["enrolled"] += 1
            counts["parked"] += trace.parked
            counts["completed"] += trace.completed
            if trace.cancelled is not None:
                counts["cancelled by reply" if trace.cancelled.reason == "replied" else "otherwise"] += 1
            for arrived in trace.sends:
                counts[f"step {arrived.send.step_index + 1} sent"] += 1
        return companies

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._began


def conclude(console: Console, verdict: Verdict, seen: Seen, repetitions: int) -> None:
    """The final table, the lateness, and every difference."""
    table = Table(title="What the script demands, and what came out", title_justify="left")
    table.add_column("")
    table.add_column("demanded", justify="right")
    table.add_column("seen", justify="right")
    for row in verdict.rows:
        table.add_row(row.what, str(row.demanded), str(row.seen), style=None if row.demanded == row.seen else "red")
    console.print(table)
    console.print(
        f"{repetitions} records were published twice. Each passage was held against its own records: who, when due, "
        "which text, in which order, once; and nothing due after a reply.",
        highlight=False,
    )
    console.print(f"From due to readable on Kafka: {_late(seen.lateness())}", highlight=False)
    if not verdict.differences:
        console.print("All is right.", style="bold green")
        return
    console.print(f"{len(verdict.differences)} differences:", style="bold red")
    for difference in verdict.differences[:DIFFERENCES_SHOWN]:
        console.print(f"  {difference}", style="red", highlight=False, markup=False, soft_wrap=True)
    if len(verdict.differences) > DIFFERENCES_SHOWN:
        console.print(f"  and {len(verdict.differences) - DIFFERENCES_SHOWN} more", style="red")


def _otherwise(told: Counter[str]) -> int:
    return told[topics.ENROLLMENT_CANCELLED] - told["cancelled: replied"]


def _late(lateness: list[float]) -> str:
    half, most, last = (percentile(lateness, share) for share in (0.5, 0.99, 1.0))
    if half is None or most is None or last is None:
        return "lateness: nothing was due yet"
    return f"lateness p50 {half * 1000:.0f} ms, p99 {most * 1000:.0f} ms, at most {last * 1000:.0f} ms"
