"""What is counted is what happened: no more, no less, and never a label that somebody wrote."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from cadence_engine.domain import events
from cadence_engine.domain.cancel import CancelReason
from cadence_engine.domain.events import Event
from cadence_engine.domain.gate import Held
from cadence_engine.handlers.due_steps import Ran
from cadence_engine.metrics import backlog, committed, steps
from cadence_engine.metrics.lateness import Lateness
from cadence_engine.metrics.registry import REGISTRY, SECONDS, exposition
from cadence_engine.storage.reports.backlog import Backlog

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def event(type_: str, **data: Any) -> Event:
    return Event(type_, uuid.uuid4(), "acme", "ana", uuid.uuid4(), 1, data)


def value(name: str, labels: Mapping[str, str] | None = None) -> float | None:
    return REGISTRY.get_sample_value(name, dict(labels or {}))


def test_each_committed_event_is_counted_once_by_its_reason() -> None:
    kinds: list[tuple[str, dict[str, str]]] = [
        ("cadence_sends_total", {}),
        ("cadence_enrollments_started_total", {}),
        ("cadence_enrollments_cancelled_total", {"reason": "replied"}),
        ("cadence_enrollments_cancelled_total", {"reason": "opted_out"}),
        ("cadence_enrollments_parked_total", {"reason": "unreachable"}),
        ("cadence_enrollments_refused_total", {"reason": "reentry"}),
        ("cadence_steps_skipped_total", {"reason": "missed"}),
    ]
    before = [value(*kind) or 0.0 for kind in kinds]

    committed.count(
        [
            *(event(events.SEND_REQUESTED), event(events.SEND_REQUESTED), event(events.STEP_EXECUTED)),
            event(events.STARTED),
            *(event(events.CANCELLED, reason=reason) for reason in ("replied", "replied", "replied", "opted_out")),
            event(events.PARKED, reason="unreachable"),
            event(events.REFUSED, reason="reentry"),
            event(events.STEP_SKIPPED, reason="missed"),
        ]
    )

    after = [value(*kind) or 0.0 for kind in kinds]
    assert [now - then for now, then in zip(after, before, strict=True)] == [2, 1, 3, 1, 1, 1, 1]


def test_a_reason_that_nobody_knows_makes_no_label_of_its_own() -> None:
    other = {"reason": committed.OTHER}
    before = value("cadence_enrollments_cancelled_total", other) or 0.0

    committed.count([event(events.CANCELLED, reason="+5511999990000"), event(events.CANCELLED)])

    assert value("cadence_enrollments_cancelled_total", other) == before + 2
    assert b"+5511999990000" not in exposition("")[0]


@pytest.mark.parametrize("reason", CancelReason)
def test_a_reason_is_there_before_its_first_time(reason: CancelReason) -> None:
    assert value("cadence_enrollments_cancelled_total", {"reason": reason}) is not None


@given(st.lists(st.lists(st.floats(0, 5000).map(lambda late: round(late, 3)) | st.sampled_from(SECONDS))))
def test_lateness_is_the_histogram_that_observing_one_by_one_makes(batches: list[list[float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    lateness = Lateness("late_seconds", "How late.")
    ours.register(lateness)
    one_by_one = Histogram("late_seconds", "How late.", buckets=SECONDS, registry=theirs)
    for batch in batches:
        lateness.observe([NOW - timedelta(seconds=late) for late in sorted(batch, reverse=True)], NOW)
        for late in batch:
            one_by_one.observe(late)

    def counts(registry: CollectorRegistry) -> list[str]:
        return [line for line in generate_latest(registry).decode().splitlines() if "_sum" not in line]

    assert counts(ours) == counts(theirs)
    total = ours.get_sample_value("late_seconds_sum")
    assert total == pytest.approx(sum(map(sum, batches)), abs=0.01)


def test_a_batch_without_a_step_is_none() -> None:
    before = value("cadence_step_batch_seconds_count")
    steps.ran(Ran(), 0.1)
    assert value("cadence_step_batch_seconds_count") == before
    steps.ran(Ran(claimed=1, due_at=[NOW], decided_at=NOW), 0.1)
    assert value("cadence_step_batch_seconds_count") == (before or 0) + 1


def test_only_the_present_reason_holds() -> None:
    steps.held(Held.REPLIES_BEHIND)
    assert value("cadence_steps_held", {"reason": "replies_behind"}) == 1
    steps.held(Held.RELAY_STUCK)
    assert value("cadence_steps_held", {"reason": "replies_behind"}) == 0
    assert value("cadence_steps_held", {"reason": "relay_stuck"}) == 1
    steps.held(None)
    assert {value("cadence_steps_held", {"reason": why}) for why in Held} == {0}


def test_what_was_true_once_is_not_shown_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    measured, registry = backlog.Measured(), CollectorRegistry()
    registry.register(measured)
    clock = 100.0
    monkeypatch.setattr(backlog, "monotonic", lambda: clock)
    assert registry.get_sample_value("cadence_due_steps") is None, "nothing was read yet"

    measured.set(Backlog.empty(), every=10)
    clock += 39
    assert registry.get_sample_value("cadence_due_steps") == 0
    assert registry.get_sample_value("cadence_parked_enrollments", {"reason": "unreachable"}) == 0
    clock += 2
    assert registry.get_sample_value("cadence_due_steps") is None
