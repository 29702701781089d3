"""Where an enrollment stands in another version of its cadence, and when it is due there."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from cadence_engine.domain.cadence import (
    API,
    CadenceVersion,
    Definition,
    Reentry,
    ReentryRule,
    Step,
    Template,
    Trigger,
    Wait,
)
from cadence_engine.domain.enrollment import Enrollment, ParkReason, PausedBy, Status
from cadence_engine.domain.events import Cause
from cadence_engine.domain.move import Fate, Moved, Place, move, place

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CADENCE_ID = uuid.UUID(int=1)


Written = str | tuple[str, Wait]


def definition(*steps: Written) -> Definition:
    """Steps by key, each after a day unless said otherwise."""
    waits = [(step, Wait(days=1)) if isinstance(step, str) else step for step in steps]
    return Definition(
        key="k",
        name="K",
        trigger=Trigger(API, {}),
        reentry=Reentry(ReentryRule.ALWAYS),
        cancel_on_reply=True,
        reply_grace=timedelta(),
        send_within=HOUR,
        language=None,
        steps=tuple(Step(key, wait, Template(key, "marketing", {})) for key, wait in waits),
        completion_tags=(),
    )


def version(number: int, *steps: Written) -> CadenceVersion:
    return CadenceVersion("acme", CADENCE_ID, number, definition(*steps))


def waiting(index: int, due: datetime | None) -> Enrollment:
    return Enrollment(
        company_id="acme",
        enrollment_id=uuid.UUID(int=2),
        cadence_id=CADENCE_ID,
        cadence_key="k",
        version=1,
        contact_id="ana",
        lead_id=None,
        conversation_id=None,
        status=Status.ACTIVE,
        step_index=index,
        next_run_at=due,
        revision=3,
        trigger=API,
        triggered_at=NOW - 9 * DAY,
        started_at=NOW - 9 * DAY,
        context={},
    )


@pytest.mark.parametrize(
    ("old", "new", "index", "expected"),
    [
        ("abc", "abc", 1, Place(Fate.KEPT, 1)),
        ("abc", "xabc", 1, Place(Fate.KEPT, 2, never=("x",))),
        ("abc", "abxc", 1, Place(Fate.KEPT, 1, added=("x",))),
        ("abc", "axbyc", 1, Place(Fate.KEPT, 2, never=("x",), added=("y",))),
        ("abc", "ac", 1, Place(Fate.NEXT, 1, gone=("b",))),
        ("abc", "bc", 1, Place(Fate.KEPT, 0)),
        ("abcd", "axd", 1, Place(Fate.NEXT, 2, gone=("b", "c"), never=("x",))),
        ("abc", "a", 1, Place(Fate.ENDS, 1, gone=("b", "c"))),
        ("abc", "axy", 1, Place(Fate.NEXT, 1, gone=("b", "c"), added=("x", "y"))),
        ("abc", "xyz", 0, Place(Fate.NEXT, 0, gone=("a", "b", "c"), added=("x", "y", "z"))),
        ("abc", "xyz", 1, Place(Fate.LEFT, 1)),
        ("abc", "xc", 1, Place(Fate.NEXT, 1, gone=("b",), never=("x",))),
        ("abc", "bac", 1, Place(Fate.NEXT, 2, never=("b",))),  # b is behind a, which has run and must not run again
        ("abc", "cab", 1, Place(Fate.KEPT, 2, never=("c",))),
        ("abc", "acb", 1, Place(Fate.KEPT, 2, never=("c",))),
        ("abc", "abc", 3, Place(Fate.ENDS, 3)),
        ("abc", "abcx", 3, Place(Fate.NEXT, 3, added=("x",))),
    ],
)
def test_the_place_in_another_version(old: str, new: str, index: int, expected: Place) -> None:
    assert place(definition(*old), definition(*new), index) == expected


keys = some.lists(some.sampled_from("abcdef"), min_size=1, max_size=6, unique=True)


@given(keys, keys, some.data())
def test_nothing_runs_twice_and_every_step_is_accounted_for(
    old: Sequence[str], new: Sequence[str], data: some.DataObject
) -> None:
    index = data.draw(some.integers(0, len(old)))
    found = place(definition(*old), definition(*new), index)
    if found.fate is Fate.LEFT:
        assert index > 0
        assert not set(old) & set(new)
        return
    has_run, will_run = set(old[:index]), new[found.index :]
    assert not has_run & set(will_run)
    assert set(found.added) == set(will_run) - set(old)
    assert set(found.never) == set(new) - has_run - set(will_run)
    assert set(found.gone) == set(old[index:]) - set(new)
    assert (found.fate is Fate.ENDS) == (not will_run)
    assert (found.fate is Fate.KEPT) == (index < len(old) and will_run[:1] == [old[index]])


@given(keys, some.data())
def test_the_same_steps_are_the_same_place(steps: Sequence[str], data: some.DataObject) -> None:
    index = data.draw(some.integers(0, len(steps) - 1))
    assert place(definition(*steps), definition(*steps), index) == Place(Fate.KEPT, index)


def moved(enrollment: Enrollment, old: Sequence[Written], new: Sequence[Written], zone: str = "UTC") -> Moved:
    found = move(
        enrollment, version(1, *old), version(2, *new), zone, now=NOW, cause=Cause(actor="olga"), note="new texts"
    )
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("was_due", "wait", "expected", "anew", "at_once"),
    [
        (NOW + HOUR, Wait(days=3), NOW + HOUR, False, False),
        (NOW + HOUR, Wait(days=5), NOW + HOUR + 2 * DAY, True, False),
        (NOW + 2 * DAY, Wait(days=2), NOW + DAY, True, False),
        (NOW + HOUR, Wait(days=1), NOW, True, True),
        (NOW - HOUR, Wait(days=3), NOW - HOUR, False, False),
        (NOW - HOUR, Wait(days=2), NOW, True, True),
        (NOW - HOUR, Wait(days=4), NOW - HOUR + DAY, True, False),
        (NOW + HOUR, Wait(exact=3 * DAY - HOUR), NOW, True, True),
    ],
)
def test_a_wait_is_counted_anew_from_the_time_served(
    was_due: datetime, wait: Wait, expected: datetime, anew: bool, at_once: bool
) -> None:
    found = moved(waiting(0, was_due), [("a", Wait(days=3))], [("a", wait)])
    assert found.decision.enrollment.next_run_at == expected
    assert (found.waits_anew, found.due_at_once) == (anew, at_once)


def test_days_are_counted_where_the_contact_is() -> None:
    """Over the night in which New York's clocks go forward: at nine in the morning, before as after."""
    nine_on_friday = datetime(2026, 3, 6, 14, tzinfo=UTC)
    found = moved(waiting(0, nine_on_friday), [("a", Wait(days=1))], [("a", Wait(days=4))], "America/New_York")
    assert found.decision.enrollment.next_run_at == datetime(2026, 3, 9, 13, tzinfo=UTC)


def test_where_its_step_is_gone_it_waits_as_the_next_one_says() -> None:
    found = moved(waiting(1, NOW + DAY), ["a", ("b", Wait(days=2)), "c"], ["a", ("c", Wait(days=5))])
    after = found.decision.enrollment
    assert (after.version, after.step_index, after.next_run_at) == (2, 1, NOW + 4 * DAY)


def test_a_paused_one_keeps_what_it_has_served_and_stays_paused() -> None:
    paused = waiting(0, None)._replace(
        status=Status.PAUSED, paused_by=PausedBy.OPERATOR, wait_left=HOUR, held_due_at=NOW - 5 * DAY
    )
    longer = moved(paused, [("a", Wait(days=1))], [("a", Wait(days=3))]).decision.enrollment
    assert (longer.status, longer.paused_by, longer.next_run_at) == (Status.PAUSED, PausedBy.OPERATOR, None)
    assert (longer.wait_left, longer.held_due_at) == (2 * DAY + HOUR, NOW - 3 * DAY)
    shorter = moved(paused, [("a", Wait(days=3))], [("a", Wait(days=1))])
    assert (shorter.decision.enrollment.wait_left, shorter.due_at_once) == (timedelta(), True)


def test_a_parked_one_is_looked_at_again() -> None:
    parked = waiting(0, NOW - DAY)._replace(
        status=Status.PARKED, park_reason=ParkReason.MISSING_VARIABLE, park_detail="x", parked_knowing="1.2"
    )
    after = moved(parked, ["a"], ["a"]).decision.enrollment
    assert (after.status, after.next_run_at, after.parked_knowing) == (Status.PARKED, NOW - DAY, "")


def test_one_that_has_nothing_left_is_due_now_to_be_completed() -> None:
    found = moved(waiting(1, NOW + DAY), "ab", "a")
    assert (found.decision.enrollment.step_index, found.decision.enrollment.next_run_at) == (1, NOW)
    assert not found.waits_anew


def test_one_that_stands_nowhere_is_left() -> None:
    found = move(
        waiting(1, NOW), version(1, "a", "b"), version(2, "x"), "UTC", now=NOW, cause=Cause(actor="olga"), note=None
    )
    assert found is None


def test_it_tells_who_moved_it_and_why_at_the_revision_that_it_has() -> None:
    (event,) = moved(waiting(1, NOW + DAY), "ab", "aab"[1:]).decision.events
    assert (event.type, event.revision) == ("cadence.enrollment.moved", 3)
    told = {"fromVersion": 1, "version": 2, "stepKey": "b", "stepIndex": 1, "note": "new texts"}
    assert {name: event.data[name] for name in told} == told
    assert event.data["cause"] == {"actor": "olga"}


days = some.integers(0, 9)


@given(days, days, some.timedeltas(-3 * DAY, 3 * DAY), some.sampled_from(["UTC", "Asia/Tokyo"]))
def test_nobody_is_due_in_the_past_by_a_move_nor_later_than_the_new_wait(
    old: int, new: int, ahead: timedelta, zone: str
) -> None:
    was_due = NOW + ahead
    found = moved(waiting(0, was_due), [("a", Wait(days=old))], [("a", Wait(days=new))], zone)
    due = found.decision.enrollment.next_run_at
    assert due is not None
    assert due == (was_due if old == new else max(was_due + (new - old) * DAY, NOW))
