"""Ten thousand histories in `make chaos`, a share of them in every run of the tests."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.domain.histories.machine import History

CHAOS = os.environ.get("HYPOTHESIS_PROFILE") == "chaos"
BATCHES = 40 if CHAOS else 1
BATCH = settings(
    max_examples=250,  # what a search remembers of its examples grows with them, to gigabytes for all in one
    stateful_step_count=30,
    deadline=None,
    derandomize=not CHAOS,  # the same share in every run of the tests: what is new is found where it is looked for
    phases=(Phase.reuse, Phase.generate, Phase.shrink),
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.timeout(600)  # a batch is a matter of seconds, to make a failure short may be one of minutes
@pytest.mark.parametrize("batch", range(BATCHES))
def test_whatever_happens_in_any_order_the_promises_are_kept(batch: int) -> None:
    run_state_machine_as_test(History, settings=BATCH)
