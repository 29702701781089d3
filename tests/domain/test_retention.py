"""From when on the log is kept."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from cadence_engine.domain.retention import keep_from

NOW = datetime(2026, 11, 23, 15, 30, tzinfo=UTC)
MEMORY = timedelta(days=10)


@pytest.mark.parametrize(
    ("needed", "kept_from"),
    [
        ([], datetime(2026, 11, 13, tzinfo=UTC)),
        ([NOW], datetime(2026, 11, 13, tzinfo=UTC)),
        (
            [datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 2, 23, 59, tzinfo=UTC)],
            datetime(2026, 11, 2, tzinfo=UTC),
        ),
        ([datetime(2026, 11, 3, 1, tzinfo=timezone(timedelta(hours=2)))], datetime(2026, 11, 2, tzinfo=UTC)),
    ],
)
def test_a_whole_day_is_kept_while_anything_of_it_is_young_or_needed(
    needed: list[datetime], kept_from: datetime
) -> None:
    assert keep_from(NOW, MEMORY, needed) == kept_from
