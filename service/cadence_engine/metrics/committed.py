"""What came of enrollments, counted from the events of each committed transaction."""

from collections import Counter as Tally
from collections.abc import Collection, Iterable, Sequence
from operator import attrgetter

from prometheus_client import Counter

from cadence_engine.domain import events
from cadence_engine.domain.cancel import CancelReason
from cadence_engine.domain.enroll import Refusal
from cadence_engine.domain.enrollment import ParkReason
from cadence_engine.domain.events import Event
from cadence_engine.domain.skip import SkipReason
from cadence_engine.metrics.registry import REGISTRY

OTHER = "other"
"""A reason that this version of the program does not know."""

sends = Counter("cadence_sends", "Sends that were decided.", registry=REGISTRY)
skipped = Counter("cadence_steps_skipped", "Steps that were passed over without a send.", ["reason"], registry=REGISTRY)
started = Counter("cadence_enrollments_started", "Enrollments that began.", registry=REGISTRY)
completed = Counter("cadence_enrollments_completed", "Enrollments that ran to their end.", registry=REGISTRY)
paused = Counter("cadence_enrollments_paused", "Enrollments that were paused.", registry=REGISTRY)
resumed = Counter(
    "cadence_enrollments_resumed", "Enrollments that went on, paused or parked before.", registry=REGISTRY
)
refused = Counter(
    "cadence_enrollments_refused", "Enrollments that a rule stood against.", ["reason"], registry=REGISTRY
)
cancelled = Counter(
    "cadence_enrollments_cancelled", "Enrollments that ended before their last step.", ["reason"], registry=REGISTRY
)
parked = Counter(
    "cadence_enrollments_parked", "Enrollments whose step could not be decided.", ["reason"], registry=REGISTRY
)

PLAIN = {
    events.SEND_REQUESTED: sends,
    events.STARTED: started,
    events.COMPLETED: completed,
    events.PAUSED: paused,
    events.RESUMED: resumed,
}
BY_REASON: dict[str, tuple[Counter, Collection[str]]] = {
    events.STEP_SKIPPED: (skipped, frozenset(SkipReason)),
    events.REFUSED: (refused, frozenset(Refusal)),
    events.CANCELLED: (cancelled, frozenset(CancelReason)),
    events.PARKED: (parked, frozenset(ParkReason)),
}

for counter, reasons in BY_REASON.values():
    for each in (*sorted(reasons), OTHER):
        counter.labels(each)  # there from the beginning, so that the first one shows as a rise

type_of = attrgetter("type")


def count(committed: Sequence[Event]) -> None:
    """These are in the log now."""
    tally = Tally(map(type_of, committed))
    for type_, times in tally.items():
        if type_ in PLAIN:
            PLAIN[type_].inc(times)
        elif type_ in BY_REASON:
            _count_reasons(type_, (event for event in committed if event.type == type_))


def _count_reasons(type_: str, events: Iterable[Event]) -> None:
    by_reason, known = BY_REASON[type_]
    for reason, times in Tally(event.data.get("reason") for event in events).items():
        by_reason.labels(reason if reason in known else OTHER).inc(times)
