"""Due times: local wall-clock days first, elapsed time after."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadence_engine.domain import schedule
from cadence_engine.domain.cadence import Wait

NEW_YORK = "America/New_York"  # 2026: forward on 8 March 02:00, back on 1 November 02:00


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "wait", "due", "why"),
    [
        ("2026-03-07T14:00", Wait(days=1), "2026-03-08T13:00", "09:00 local stays 09:00 across the gap"),
        ("2026-10-31T13:00", Wait(days=1), "2026-11-01T14:00", "and across the overlap"),
        ("2026-03-07T07:30", Wait(days=1), "2026-03-08T07:30", "02:30 does not exist that day: it moves to 03:30"),
        ("2026-10-31T05:30", Wait(days=1), "2026-11-01T05:30", "01:30 exists twice that day: the earlier"),
        ("2026-03-07T14:00", Wait(exact=timedelta(hours=24)), "2026-03-08T14:00", "24 hours are elapsed time"),
        ("2026-03-07T14:00", Wait(1, timedelta(hours=2)), "2026-03-08T15:00", "days first, the rest after"),
        ("2028-02-28T15:00", Wait(days=1), "2028-02-29T15:00", "a leap day is a day"),
        ("2026-03-07T14:00", Wait(), "2026-03-07T14:00", "no wait is at once"),
    ],
)
def test_waits_in_new_york(start: str, wait: Wait, due: str, why: str) -> None:
    assert schedule.after(utc(start), wait, NEW_YORK) == utc(due), why


@pytest.mark.parametrize(
    ("start", "days", "due", "why"),
    [
        ("2026-10-02T15:45", 1, "2026-10-03T15:45", "02:15 does not exist on 4 October: it moves to 02:45"),
        ("2026-10-02T15:45", 2, "2026-10-04T15:15", "the day after it is 02:15 again"),
        ("2026-04-04T01:00", 1, "2026-04-05T01:30", "12:00 stays 12:00 when the clocks go back"),
    ],
)
def test_half_an_hour_on_lord_howe(start: str, days: int, due: str, why: str) -> None:
    assert schedule.after(utc(start), Wait(days=days), "Australia/Lord_Howe") == utc(due), why


def test_the_zone_decides_and_not_the_server() -> None:
    start = utc("2026-03-07T14:00")
    assert schedule.after(start, Wait(days=1), "Asia/Tokyo") == utc("2026-03-08T14:00")


@given(st.integers(0, 3_000_000_000), st.integers(0, 400))
def test_a_wait_never_goes_back(second: int, days: int) -> None:
    start = datetime.fromtimestamp(second, UTC)
    assert schedule.after(start, Wait(days=days), NEW_YORK) >= start


def test_the_detector_hour_of_a_local_day() -> None:
    assert schedule.at_hour(date(2026, 7, 1), 9, "America/Sao_Paulo") == utc("2026-07-01T12:00")
    assert schedule.local_date(utc("2026-07-01T02:00"), "America/Sao_Paulo") == date(2026, 6, 30)


def test_a_zone_that_is_unknown_here_gives_way_to_the_next() -> None:
    assert schedule.zone_of("Mars/Olympus", None, "Asia/Tokyo") == "Asia/Tokyo"
    assert schedule.zone_of(None, "Europe/Lisbon", "Asia/Tokyo") == "Europe/Lisbon"
