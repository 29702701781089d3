"""How far contacts come in one version of a cadence, and where they answer."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cadence_engine.domain.cadence import CadenceVersion
from cadence_engine.domain.cancel import CancelReason
from cadence_engine.domain.events import (
    ANSWERED,
    CANCELLED,
    COMPLETED,
    MOVED,
    PARKED,
    SEND_REQUESTED,
    STARTED,
    STEP_SKIPPED,
)

COUNTED = (STARTED, SEND_REQUESTED, STEP_SKIPPED, PARKED, CANCELLED, COMPLETED, ANSWERED, MOVED)
"""The events that a funnel is made of."""
WHOLE = -1
"""The step index of what is told of a passage as a whole."""


class Count(NamedTuple):
    """How often it happened. `reason`: of a cancellation; of a move the version that it came from; else "".

    `step_index`: of a send or a skip that step's, of all else but the whole passage that of the step that was next.
    """

    version: int
    type: str
    step_index: int
    reason: str
    amount: int


@dataclass(frozen=True, slots=True)
class StepFunnel:
    """`reached`: how many had it as their next step. `parked`: how often it parked, once for each reason anew.

    `replied`: how many replied behind it, before the step after it; behind the last one, within some days.
    """

    key: str
    reached: int
    sent: int
    skipped: int
    parked: int
    replied: int

    @property
    def reply_rate(self) -> float | None:
        """Replies to sends; None before the first send."""
        return _rate(self.replied, self.sent)


@dataclass(frozen=True, slots=True)
class Funnel:
    """Of one version. `replied_before`: how many replied before the first step, and so ended their passage.

    `moved_in`, `moved_out`: how many an operator took from and to other versions.
    """

    version: int
    started: int
    completed: int
    cancelled: Mapping[str, int]
    replied_before: int
    steps: Sequence[StepFunnel]
    moved_in: int = 0
    moved_out: int = 0

    @property
    def passages(self) -> int:
        """Those that are or were in it to their end."""
        return self.started + self.moved_in - self.moved_out

    @property
    def live(self) -> int:
        return self.passages - self.completed - sum(self.cancelled.values())

    @property
    def replied(self) -> int:
        """Those whom a reply ended, and those who replied to the last step."""
        return self.replied_before + sum(step.replied for step in self.steps)

    @property
    def reply_rate(self) -> float | None:
        """Of its passages; None: it has none."""
        return _rate(self.replied, self.passages)

    @property
    def completion_rate(self) -> float | None:
        """Of its passages; None: it has none."""
        return _rate(self.completed, self.passages)


def funnel(version: CadenceVersion, counts: Iterable[Count]) -> Funnel:
    """From all counts of the cadence; those of its other versions are left out."""
    amounts: Counter[tuple[str, int]] = Counter()
    cancelled: Counter[str] = Counter()
    replied: Counter[int] = Counter()
    moved_in: Counter[int] = Counter()
    moved_out = 0
    for count in counts:
        if count.type == MOVED:
            moved_in[count.step_index] += count.amount if count.version == version.version else 0
            moved_out += count.amount if count.reason == str(version.version) else 0
        elif count.version == version.version:
            amounts[count.type, count.step_index] += count.amount
            if count.type == CANCELLED:
                cancelled[count.reason] += count.amount
            if count.type == ANSWERED or count.reason == CancelReason.REPLIED:
                replied[count.step_index] += count.amount
    reached = started = amounts[STARTED, WHOLE]
    steps = []
    for index, step in enumerate(version.definition.steps):
        sent, skipped = amounts[SEND_REQUESTED, index], amounts[STEP_SKIPPED, index]
        reached += moved_in[index]
        steps.append(StepFunnel(step.key, reached, sent, skipped, amounts[PARKED, index], replied[index + 1]))
        reached = sent + skipped
    completed = amounts[COMPLETED, WHOLE]
    return Funnel(version.version, started, completed, dict(cancelled), replied[0], steps, moved_in.total(), moved_out)


def _rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None
