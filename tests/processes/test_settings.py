"""What is set wrongly is refused before anything starts."""

import pytest
from pydantic import ValidationError

from cadence_engine.settings import Settings


def test_the_log_is_not_kept_for_less_than_the_inbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://cadence@127.0.0.1/cadence")
    monkeypatch.setenv("CADENCE_INBOX_DAYS", "21")
    monkeypatch.setenv("CADENCE_LOG_DAYS", "20")
    with pytest.raises(ValidationError, match="at least CADENCE_INBOX_DAYS, 21"):
        Settings()
    monkeypatch.setenv("CADENCE_LOG_DAYS", "21")
    assert Settings().log_days == 21
