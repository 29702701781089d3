"""Several runs as one dated report, to be committed: what was inflicted, and what came of it."""

import os
import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.report import Report


def as_markdown(runs: Sequence[Report], seconds: float) -> str:
    """`seconds` is how long each run's load lasted."""
    return "\n".join([*_head(runs, seconds), "", *_sums(runs), "", *_measures(runs), "", *_broken(runs)]) + "\n"


def _head(runs: Sequence[Report], seconds: float) -> Iterator[str]:
    settings = f"SEED={runs[0].seed} RUNS={len(runs)} KILLS={len(runs[0].injected)} SECONDS={seconds:g}"
    kills, faults = sum(run.kills for run in runs), sum(len(run.injected) for run in runs)
    yield "# The full fault run"
    yield ""
    yield f"{datetime.now(UTC):%Y-%m-%d}, {_machine()}; all servers and two of each process share the machine."
    yield f"Again with `make chaos {settings}`: each run has servers of its own, and the seed after the last one's."
    yield ""
    yield f"**{kills:,} kills, {faults:,} faults in all, violations: {sum(len(run.violations) for run in runs)}**"


def _sums(runs: Sequence[Report]) -> Iterator[str]:
    yield from _table(("inflicted", "times"), sorted(_sum(run.faults for run in runs).items()))
    yield ""
    yield from _table(("seen", "records"), _sum(run.counts for run in runs).items())


def _measures(runs: Sequence[Report]) -> Iterator[str]:
    yield (
        "Seconds; each row is one run. Sends after a kill: of anybody, kills close to a server's left out. With a "
        "fault a second whoever recovers is hurt again; how soon sends go on after a single kill is what "
        "`test_recovery.py` measures."
    )
    yield ""
    rows = [
        (run.seed, name, spread.count, f"{spread.p50:.2f}", f"{spread.p99:.2f}", f"{spread.longest:.2f}")
        for run in runs
        for name, spread in run.measured.items()
    ]
    yield from _table(("seed", "measured", "values", "p50", "p99", "longest"), rows)


def _broken(runs: Sequence[Report]) -> Iterator[str]:
    found = [
        f"- seed {run.seed}: {line}"
        for run in runs
        for line in (*run.violations, *run.blocked_partitions, *run.ended_by_themselves)
    ]
    yield from found or ["No promise was broken, no process ended by itself, no reader was left blocked."]


def _table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(map(str, head))} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(map(str, row))} |"


def _sum(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return total


def _machine() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    return f"{os.cpu_count()} cores ({model}), Python {platform.python_version()}, {platform.system()}"
