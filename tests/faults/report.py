"""What a chaos run did and found, for people and for programs."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.faults.mischief import Injected
from tests.faults.oracle.history import History
from tests.faults.oracle.view import PARKED, STARTED, View
from tests.faults.oracle.violations import Violation
from tests.faults.timeline import explain

REPORTS = Path(__file__).parent / "reports"


@dataclass(frozen=True, slots=True)
class Report:
    """Durations are seconds; lateness is from the due time to the broker's append, parked passages left out."""

    seed: int
    injected: Sequence[Injected]
    counts: Mapping[str, int]
    lateness: Mapping[str, float]
    settled_after: float
    blocked_partitions: Sequence[str]
    """Of the outputs, where readers of committed records could not reach the end."""
    ended_by_themselves: Sequence[str]
    violations: Sequence[str]
    explanation: str

    @property
    def faults(self) -> Mapping[str, int]:
        return Counter(f"{each.what} {each.target.rpartition('-')[0] or each.target}" for each in self.injected)

    @property
    def is_clean(self) -> bool:
        return not (self.violations or self.ended_by_themselves or self.blocked_partitions)

    def as_text(self) -> str:
        lines = [
            f"seed {self.seed}: faults {len(self.injected)}, violations {len(self.violations)}",
            "faults: " + ", ".join(f"{count} x {what}" for what, count in sorted(self.faults.items())),
            "seen: " + ", ".join(f"{count} {what}" for what, count in self.counts.items()),
            "lateness: " + ", ".join(f"{name} {value:.2f} s" for name, value in self.lateness.items()),
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
        (directory / f"chaos-{self.seed}.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        text = directory / f"chaos-{self.seed}.txt"
        text.write_text(self.as_text(), encoding="utf-8")
        return text


def make(
    seed: int,
    injected: Sequence[Injected],
    history: History,
    violations: Sequence[Violation],
    *,
    settled_after: float,
    blocked: Sequence[str],
    ended: Sequence[str],
) -> Report:
    view = View(history)
    types = Counter(record.type for record in history.outputs)
    late = sorted(
        (send.appended_at - send.instant("dueAt")).total_seconds()
        for passage in view.passages.values()
        if not any(event.type == PARKED for event in passage.events)
        for send in passage.sends
    )
    return Report(
        seed=seed,
        injected=injected,
        counts={
            "inputs": len(history.inputs),
            "enrollments": types[STARTED],
            **{name: count for name, count in sorted(types.items()) if name != STARTED},
        },
        lateness={f"p{share}": late[min(len(late) - 1, len(late) * share // 100)] for share in (50, 99, 100) if late},
        settled_after=settled_after,
        blocked_partitions=blocked,
        ended_by_themselves=ended,
        violations=[str(violation) for violation in violations],
        explanation=explain(history, list(violations)) if violations else "",
    )
