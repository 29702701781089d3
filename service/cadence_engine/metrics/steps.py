"""What a worker does with due steps."""

from prometheus_client import Gauge, Histogram

from cadence_engine.domain.gate import Held
from cadence_engine.handlers.due_steps import Ran
from cadence_engine.metrics.lateness import step_lateness
from cadence_engine.metrics.registry import BRIEF_SECONDS, REGISTRY

batch_seconds = Histogram(
    "cadence_step_batch_seconds",
    "How long a batch of due steps took, commit included.",
    buckets=BRIEF_SECONDS,
    registry=REGISTRY,
)
held_now = Gauge("cadence_steps_held", "1 while no step is decided, for this reason.", ["reason"], registry=REGISTRY)
for each in Held:
    held_now.labels(each.value)


def ran(batch: Ran, seconds: float) -> None:
    """A batch is committed; it took so long."""
    if batch.claimed and batch.decided_at is not None:
        batch_seconds.observe(seconds)
        step_lateness.observe(batch.due_at, batch.decided_at)


def held(why: Held | None) -> None:
    """The sweep found the gate closed for this reason, or open."""
    for reason in Held:
        held_now.labels(reason.value).set(reason is why)
