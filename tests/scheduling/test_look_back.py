"""A look for due steps begins where the last one ended; what has long been due is looked for once in a while."""

from datetime import UTC, datetime, timedelta

from cadence_engine.scheduling.look_back import EVERY, RARELY, SHARE, LookBack

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)


def test_the_first_look_goes_back_as_far_as_there_is_anything() -> None:
    assert LookBack().since(100.0) is None


def test_the_next_one_begins_where_it_ended_for_a_second() -> None:
    look_back = LookBack()
    look_back.looked(None, NOON, took=0.01, now=100.0)
    assert look_back.since(100.0 + EVERY / 2) == NOON
    look_back.looked(NOON, LATER, took=0.01, now=100.5)
    assert look_back.since(100.6) == LATER
    assert look_back.since(100.0 + EVERY) is None


def test_one_that_took_long_is_repeated_the_more_rarely() -> None:
    look_back = LookBack()
    look_back.looked(None, NOON, took=1.0, now=100.0)
    assert look_back.since(100.0 + SHARE - 0.1) == NOON
    assert look_back.since(100.0 + SHARE) is None


def test_but_never_so_rarely_that_what_was_resumed_would_wait_for_minutes() -> None:
    look_back = LookBack()
    look_back.looked(None, NOON, took=600.0, now=1000.0)
    assert look_back.since(1000.0 + RARELY - 0.1) == NOON
    assert look_back.since(1000.0 + RARELY) is None


def test_a_look_that_does_not_know_how_far_it_came_changes_nothing() -> None:
    look_back = LookBack()
    look_back.looked(None, NOON, took=0.01, now=100.0)
    look_back.looked(NOON, None, took=0.01, now=100.1)
    assert look_back.since(100.2) == NOON


def test_nor_does_one_at_what_was_due_before() -> None:
    look_back = LookBack()
    look_back.looked(None, LATER, took=0.01, now=100.0)
    look_back.looked(LATER, NOON, took=0.01, now=100.1)
    assert look_back.since(100.2) == LATER


def test_but_after_a_clock_that_was_set_back_the_next_look_back_is_believed() -> None:
    look_back = LookBack()
    look_back.looked(None, LATER, took=0.01, now=100.0)
    look_back.looked(None, NOON, took=0.01, now=102.0)
    assert look_back.since(102.1) == NOON


def test_one_that_was_given_up_is_not_tried_again_at_once() -> None:
    look_back = LookBack()
    look_back.looked(None, NOON, took=0.01, now=100.0)
    look_back.gave_up(now=122.0)
    assert look_back.since(122.1) == NOON
    assert look_back.since(122.0 + RARELY) is None
