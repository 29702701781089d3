"""What a run measures beside its verdict; all in seconds."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tests.faults.mischief import Fault, Injected
from tests.faults.oracle.history import Record
from tests.faults.oracle.view import PARKED, View

AFTERMATH: Final = timedelta(seconds=15)
"""So long after a server was killed, what is slow may be the server's doing."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Of `count` measured values."""

    count: int
    p50: float
    p99: float
    longest: float

    def __str__(self) -> str:
        return f"p50 {self.p50:.2f} s, p99 {self.p99:.2f} s, longest {self.longest:.2f} s ({self.count})"


def spread(values: Iterable[float]) -> Spread | None:
    """None of nothing."""
    found = sorted(values)
    if not found:
        return None
    return Spread(len(found), found[len(found) // 2], found[min(len(found) - 1, len(found) * 99 // 100)], found[-1])


def lateness(view: View) -> list[float]:
    """From each send's due time to the broker's append; passages that were parked are left out."""
    return [
        (send.appended_at - send.instant("dueAt")).total_seconds()
        for passage in view.passages.values()
        if not any(event.type == PARKED for event in passage.events)
        for send in passage.sends
    ]


def recoveries(injected: Sequence[Injected], sends: Iterable[Record]) -> Mapping[str, list[float]]:
    """From each kill of a process to the next send of anybody, by kind of process.

    Kills close behind a server's are left out, and so are those after which nothing was to be sent any more.
    """
    appended = sorted(send.appended_at for send in sends)
    server_kills = [each.moment for each in injected if each.what == Fault.KILL_SERVER]
    found = defaultdict(list)
    for each in injected:
        if each.what != Fault.KILL or any(-AFTERMATH < at - each.moment < AFTERMATH for at in server_kills):
            continue
        following = bisect_right(appended, each.moment)
        if following < len(appended):
            found[each.kind].append((appended[following] - each.moment).total_seconds())
    return found


def waits_of_readers(outputs: Iterable[Record], received: Mapping[str, datetime]) -> list[float]:
    """From the broker's append of each record to its arrival at a reader of committed records."""
    return [
        (received[record.where] - record.appended_at).total_seconds() for record in outputs if record.where in received
    ]
