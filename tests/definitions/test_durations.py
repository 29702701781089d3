"""Which ISO 8601 durations can be waited, and what they mean."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from cadence_engine.definitions.durations import (
    BadDuration,
    parse_elapsed,
    parse_wait,
    write_elapsed,
    write_wait,
)
from cadence_engine.domain.cadence import Wait


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("P1D", Wait(days=1)),
        ("P2W", Wait(days=14)),
        ("P1W2D", Wait(days=9)),
        ("PT36H", Wait(exact=timedelta(hours=36))),
        ("P1DT2H30M5S", Wait(1, timedelta(hours=2, minutes=30, seconds=5))),
        ("PT0.5S", Wait(exact=timedelta(milliseconds=500))),
        ("PT0S", Wait()),
        ("P0Y1D", Wait(days=1)),
    ],
)
def test_days_are_local_and_the_rest_is_elapsed(text: str, wait: Wait) -> None:
    assert parse_wait(text) == wait


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("P1M", "years or months, which differ in length"),
        ("P1Y", "years or months, which differ in length"),
        ("-P1D", "negative"),
        ("P", "no ISO 8601 duration of weeks, days"),
        ("PT", "no ISO 8601 duration"),
        ("1D", "no ISO 8601 duration"),
        ("P1D ", "no ISO 8601 duration"),
        ("P-1D", "no ISO 8601 duration"),
        ("P1.5D", "no ISO 8601 duration"),
        ("3 days", "no ISO 8601 duration"),
        ("P99999999999D", "no ISO 8601 duration"),
        ("", "no ISO 8601 duration"),
        ("P١D", "no ISO 8601 duration"),
    ],
)
def test_what_cannot_be_waited_says_why(text: str, why: str) -> None:
    with pytest.raises(BadDuration, match=why):
        parse_wait(text)


def test_elapsed_time_has_no_days() -> None:
    assert parse_elapsed("PT24H") == timedelta(hours=24)
    with pytest.raises(BadDuration, match="23 or 25 hours: write hours"):
        parse_elapsed("P1D")


@given(
    days=some.integers(0, 730),
    exact=some.timedeltas(min_value=timedelta(), max_value=timedelta(days=730)),
)
def test_what_is_written_is_read_the_same(days: int, exact: timedelta) -> None:
    assert parse_wait(write_wait(Wait(days, exact))) == Wait(days, exact)
    assert parse_elapsed(write_elapsed(exact)) == exact


@given(some.text())
def test_any_text_is_a_wait_or_a_bad_duration(text: str) -> None:
    try:
        wait = parse_wait(text)
    except BadDuration:
        return
    assert wait.days >= 0
    assert wait.exact >= timedelta()
