"""How tables tell where an enrollment stands."""

from datetime import timedelta

from cadence_engine.cli.output import at
from cadence_engine.domain.enrollment import Enrollment, Status
from cadence_engine.storage.reports.contacts import Passage

SECOND = timedelta(seconds=1)


def step(passage: Passage) -> str | None:
    """The step that a live one waits at, and how far that is."""
    if not passage.step_key or not passage.enrollment.live:
        return None
    return f"{passage.step_key} ({min(passage.enrollment.step_index + 1, passage.steps)} of {passage.steps})"


def next_run(enrollment: Enrollment) -> str | None:
    """When the step runs; of a paused one what is left of its wait, and when it goes on if that was said."""
    if enrollment.wait_left is not None:
        goes_on = f" {at(enrollment.resume_at)}" if enrollment.resume_at else ""
        return f"{enrollment.wait_left // SECOND * SECOND} after it goes on{goes_on}"
    return at(enrollment.next_run_at) if enrollment.status is Status.ACTIVE else None
