"""Ten thousand histories in `make chaos`, a share of them in every run of the tests."""

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.domain.histories.machine import History

CHAOS = os.environ.get("HYPOTHESIS_PROFILE") == "chaos"

TestHistories = pytest.mark.timeout(1800)(History.TestCase)
TestHistories.settings = settings(
    max_examples=10_000 if CHAOS else 200,
    stateful_step_count=40,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
