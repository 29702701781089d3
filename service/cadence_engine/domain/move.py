"""Moving an enrollment to another version of its cadence, by the keys of the steps.

What has run is never run again, and what the new version puts behind an enrollment is not run for it. Its wait is
counted anew from the time that it has served.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from cadence_engine.domain import schedule
from cadence_engine.domain.cadence import CadenceVersion, Definition, Step, Wait
from cadence_engine.domain.decision import Decision
from cadence_engine.domain.enrollment import Enrollment, Status
from cadence_engine.domain.events import MOVED, Cause, about, wire_time

FACTS_AS_NEVER_SEEN = ""
"""A parked enrollment is looked at again: the other version may not lack what this one did."""


class Fate(StrEnum):
    """What becomes of an enrollment that waits at a step."""

    KEPT = "kept"
    """The step is there: it goes on waiting for it."""
    NEXT = "next"
    """The step is gone: it waits for the next one that is left, or that the new version has behind what has run."""
    ENDS = "ends"
    """Nothing is left to run: it is completed."""
    LEFT = "left"
    """Steps have run, and the versions have none in common: nobody can say where it stands, so it is not moved."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a position in one version is in another; the steps are keys.

    `index`: of the step that it waits for then. `gone`: still to run, and not there any more. `never`: there, not run,
    and behind it. `added`: ahead of it, and new.
    """

    fate: Fate
    index: int
    gone: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


def place(old: Definition, new: Definition, index: int) -> Place:
    """The place in `new` of those who wait at the position `index` of `old`."""
    old_keys, new_keys = [step.key for step in old.steps], [step.key for step in new.steps]
    has_run, to_run = old_keys[:index], old_keys[index:]
    if has_run and not set(old_keys) & set(new_keys):
        return Place(Fate.LEFT, index)
    behind_all_run = 1 + max((new_keys.index(key) for key in has_run if key in new_keys), default=-1)
    ahead = [key for key in to_run if key in new_keys[behind_all_run:]]
    target = new_keys.index(ahead[0]) if ahead else behind_all_run
    return Place(
        _fate(kept=bool(ahead) and ahead[0] == to_run[0], ends=target == len(new_keys)),
        target,
        gone=tuple(_without(to_run, new_keys)),
        never=tuple(_without(new_keys[:target], has_run)),
        added=tuple(_without(new_keys[target:], old_keys)),
    )


def _fate(*, kept: bool, ends: bool) -> Fate:
    if kept:
        return Fate.KEPT
    return Fate.ENDS if ends else Fate.NEXT


def _without(keys: Iterable[str], others: Iterable[str]) -> Iterable[str]:
    excluded = set(others)
    return (key for key in keys if key not in excluded)


@dataclass(frozen=True, slots=True)
class Moved:
    """`waits_anew`: it is due at another time than before. `due_at_once`: and that time is over already."""

    decision: Decision
    waits_anew: bool
    due_at_once: bool


def move(
    enrollment: Enrollment,
    old: CadenceVersion,
    new: CadenceVersion,
    zone: str,
    *,
    now: datetime,
    cause: Cause,
    note: str | None,
) -> Moved | None:
    """A live enrollment of `old` in `new`; None: it is left, see Fate.LEFT.

    Its revision stays: other services read the version in whatever it does next.
    """
    found = place(old.definition, new.definition, enrollment.step_index)
    if found.fate is Fate.LEFT:
        return None
    before, after = old.step_at(enrollment.step_index), new.step_at(found.index)
    moved = enrollment._replace(version=new.version, step_index=found.index)
    if enrollment.status is Status.PARKED:
        moved = moved._replace(parked_knowing=FACTS_AS_NEVER_SEEN)
    if after is None:
        moved = _waits_for_nothing(moved, now)
    elif not _same_wait(before, after):
        moved = _waits_anew(moved, before, after, zone, now)
    waits_anew = after is not None and (moved.next_run_at, moved.wait_left) != (
        enrollment.next_run_at,
        enrollment.wait_left,
    )
    told = about(
        moved,
        MOVED,
        now,
        cause,
        fromVersion=old.version,
        stepKey=after and after.key,
        stepIndex=found.index,
        nextRunAt=moved.next_run_at and wire_time(moved.next_run_at),
        note=note,
    )
    at_once = moved.next_run_at == now or moved.wait_left == timedelta()
    return Moved(Decision(moved, (told,), enrollment), waits_anew, waits_anew and at_once)


def _same_wait(before: Step | None, after: Step) -> bool:
    return before is not None and before.wait == after.wait


def _waits_for_nothing(enrollment: Enrollment, now: datetime) -> Enrollment:
    """It is completed as soon as a worker looks at it, or when it goes on."""
    if enrollment.wait_left is not None:
        return enrollment._replace(wait_left=timedelta())
    return enrollment._replace(next_run_at=now)


def _waits_anew(enrollment: Enrollment, before: Step | None, after: Step, zone: str, now: datetime) -> Enrollment:
    """As if it had waited for `after` since it began to wait for `before`."""
    if enrollment.held_due_at is not None and enrollment.wait_left is not None:
        due = _due(enrollment.held_due_at, before, after, zone)
        left = max(enrollment.wait_left + (due - enrollment.held_due_at), timedelta())
        return enrollment._replace(held_due_at=due, wait_left=left)
    due = _due(enrollment.next_run_at or now, before, after, zone)
    # Not in the past: the gate then lets every reply up to now forestall it.
    return enrollment._replace(next_run_at=max(due, now))


def _due(due: datetime, before: Step | None, after: Step, zone: str) -> datetime:
    began = schedule.before(due, before.wait if before else Wait(), zone)
    return schedule.after(began, after.wait, zone)
