"""What decisions need of the settings."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Policy:
    """The same in every process of a deployment."""

    gate_max_lag: timedelta = timedelta(seconds=5)
    relay_max_lag: timedelta = timedelta(seconds=10)
    relay_easy_lag: timedelta = timedelta(seconds=1)
    claim_rows: int = 1000
    default_time_zone: str = "UTC"
    default_language: str = "en_US"
    inbox_memory: timedelta = timedelta(days=14)
    letter_memory: timedelta = timedelta(days=30)
    log_memory: timedelta = timedelta(days=180)
