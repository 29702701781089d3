"""What a chaos run did and found, for people and for programs."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from tests.faults.measures import Spread, lateness, recoveries, spread, waits_of_readers
from tests.faults.mischief import Fault, Injected
from tests.faults.oracle.history import History
from tests.faults.oracle.view import STARTED, View
from tests.faults.oracle.violations import Violation
from tests.faults.timeline import explain

REPORTS = Path(__file__).parent / "reports"
LATENESS = "due to appended"
READERS = "appended to read"


@dataclass(frozen=True, slots=True)
class Report:
    """All durations are seconds."""

    seed: int
    injected: Sequence[Injected]
    counts: Mapping[str, int]
    measured: Mapping[str, Spread]
    settled_after: float
    blocked_partitions: Sequence[str]
    """Of the outputs, where readers of committed records could not reach the end."""
    ended_by_themselves: Sequence[str]
    violations: Sequence[str]
    explanation: str

    @property
    def faults(self) -> Mapping[str, int]:
        return Counter(f"{each.what} {each.kind}" for each in self.injected)

    @property
    def kills(self) -> int:
        """SIGKILLs of processes and of servers."""
        return sum(each.what in (Fault.KILL, Fault.KILL_SERVER) for each in self.injected)

    @property
    def is_clean(self) -> bool:
        return not (self.violations or self.ended_by_themselves or self.blocked_partitions)

    def as_text(self) -> str:
        lines = [
            f"seed {self.seed}: faults {len(self.injected)}, kills {self.kills}, violations {len(self.violations)}",
            "faults: " + ", ".join(f"{count} x {what}" for what, count in sorted(self.faults.items())),
            "seen: " + ", ".join(f"{count} {what}" for what, count in self.counts.items()),
            *(f"{name}: {measured}" for name, measured in self.measured.items()),
            f"came to rest {self.settled_after:.1f} s after the load",
            *(f"readers are blocked on {partition}" for partition in self.blocked_partitions),
            *self.ended_by_themselves,
            self.explanation,
        ]
        return "\n".join(line for line in lines if line) + "\n"

    def write(self, directory: Path = REPORTS) -> Path:
        """As JSON and as text; answers where the text is."""
        directory.mkdir(parents=True, exist_ok=True)
        document = {**asdict(self), "faults": dict(self.faults), "clean": self.is_clean}
        (directory / f"chaos-{self.seed}.json").write_text(
            json.dumps(document, indent=2, default=str) + "\n", encoding="utf-8"
        )
        text = directory / f"chaos-{self.seed}.txt"
        text.write_text(self.as_text(), encoding="utf-8")
        return text


def make(
    seed: int,
    injected: Sequence[Injected],
    history: History,
    received: Mapping[str, datetime],
    violations: Sequence[Violation],
    *,
    settled_after: float,
    blocked: Sequence[str],
    ended: Sequence[str],
) -> Report:
    """`received` as `Reader.received`."""
    view = View(history)
    types = Counter(record.type for record in history.outputs)
    sends = [send for passage in view.passages.values() for send in passage.sends]
    measured = {
        LATENESS: spread(lateness(view)),
        READERS: spread(waits_of_readers(history.outputs, received)),
        **{
            f"kill of a {kind} to the next send": spread(values)
            for kind, values in sorted(recoveries(injected, sends).items())
        },
    }
    return Report(
        seed=seed,
        injected=injected,
        counts={
            "inputs": len(history.inputs),
            "enrollments": types[STARTED],
            **{name: count for name, count in sorted(types.items()) if name != STARTED},
        },
        measured={name: found for name, found in measured.items() if found is not None},
        settled_after=settled_after,
        blocked_partitions=blocked,
        ended_by_themselves=ended,
        violations=[str(violation) for violation in violations],
        explanation=explain(history, list(violations)) if violations else "",
    )
