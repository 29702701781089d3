"""Due moments share the wakeup of their quarter of a second."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from cadence_engine.scheduling.wakeups.buckets import HORIZON, WIDTH, bucket_of, buckets_to_wake, end_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001  # st.datetimes wants them so
def test_a_bucket_ends_at_most_its_width_after_a_moment_and_never_before(moment: datetime) -> None:
    assert moment <= end_of(bucket_of(moment)) < moment + WIDTH
    assert bucket_of(end_of(bucket_of(moment))) == bucket_of(moment)


def test_each_bucket_within_the_horizon_is_woken_once() -> None:
    inside = [NOON + timedelta(seconds=s) for s in (30.1, 10.1, 10.0, 10.2)]
    beyond = NOON + HORIZON + timedelta(microseconds=1)
    assert [end_of(b) - NOON for b in buckets_to_wake([*inside, beyond], NOON)] == [
        timedelta(seconds=s) for s in (10.0, 10.25, 30.25)
    ]


def test_what_is_overdue_is_woken_by_the_bucket_under_way() -> None:
    now = NOON + timedelta(seconds=0.1)
    assert buckets_to_wake([NOON - timedelta(days=1)], now) == [bucket_of(now)]
