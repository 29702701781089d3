"""What operators may do with an enrollment, rule by rule: tables of where it stands, and where it goes."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest

from cadence_engine.domain.cadence import (
    CadenceVersion,
    Definition,
    Reentry,
    ReentryRule,
    Step,
    Template,
    Trigger,
    Wait,
)
from cadence_engine.domain.decision import Decision
from cadence_engine.domain.enrollment import Enrollment, ParkReason, PausedBy, Status
from cadence_engine.domain.events import COMPLETED, HASTENED, PAUSED, RESUMED, STEP_SKIPPED, Cause
from cadence_engine.domain.operate import (
    Cancel,
    Left,
    Operation,
    Pause,
    Resume,
    RunNow,
    Situation,
    Skip,
    decide,
)
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.domain.resume import ResumeMode
from cadence_engine.domain.spread import Spread

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
APART = timedelta(seconds=1)
OLGA = Cause(actor="olga")
ID = UUID(int=1)

VERSION = CadenceVersion(
    "acme",
    ID,
    1,
    Definition(
        key="trial",
        name="Trial",
        trigger=Trigger("api", {}),
        reentry=Reentry(ReentryRule.ALWAYS),
        cancel_on_reply=True,
        reply_grace=timedelta(),
        send_within=HOUR,
        language="pt_BR",
        steps=tuple(
            Step(key, wait, Template(key, "marketing", {}))
            for key, wait in (("first", Wait()), ("second", Wait(days=1)), ("third", Wait(days=2)))
        ),
        completion_tags=("done",),
    ),
)

ACTIVE = Enrollment(
    company_id="acme",
    enrollment_id=ID,
    cadence_id=ID,
    cadence_key="trial",
    version=1,
    contact_id="ana",
    lead_id=None,
    conversation_id=None,
    status=Status.ACTIVE,
    step_index=0,
    next_run_at=NOW + HOUR,
    revision=4,
    trigger="api",
    triggered_at=NOW - DAY,
    started_at=NOW - DAY,
    context={},
)
PARKED = ACTIVE._replace(
    status=Status.PARKED,
    next_run_at=NOW - HOUR,
    park_reason=ParkReason.UNREACHABLE,
    park_detail="no phone",
    parked_knowing="1.1",
)
COMPLETE = ACTIVE._replace(status=Status.COMPLETED, next_run_at=None, ended_at=NOW - HOUR, step_index=3)
CANCELLED = COMPLETE._replace(status=Status.CANCELLED, cancel_reason="replied")


def held(*, due: datetime = NOW, left: timedelta = HOUR, by: PausedBy = PausedBy.OPERATOR, step: int = 0) -> Enrollment:
    return ACTIVE._replace(
        status=Status.PAUSED, next_run_at=None, held_due_at=due, wait_left=left, paused_by=by, step_index=step
    )


HELD = held()
BY_CADENCE = held(by=PausedBy.CADENCE)
SKIP = Skip("first")


def situation(
    cadence: CadenceStatus = CadenceStatus.ACTIVE, spread: Spread | None = None, zone: str = "UTC"
) -> Situation:
    return Situation(VERSION, cadence, zone, spread or Spread(NOW, APART), NOW)


def decided(operation: Operation, enrollment: Enrollment, where: Situation | None = None) -> Decision:
    decision = decide(operation, enrollment, where or situation(), OLGA, "because")
    assert isinstance(decision, Decision)
    assert decision.before == enrollment
    return decision


def types(decision: Decision) -> list[str]:
    return [event.type for event in decision.events]


@pytest.mark.parametrize(
    "operation", [Pause(), Resume(), SKIP, RunNow(), Cancel()], ids=lambda each: type(each).__name__
)
@pytest.mark.parametrize(
    ("enrollment", "expected"),
    [
        (ACTIVE, {Pause: PAUSED, Resume: Left.ALREADY, Skip: STEP_SKIPPED, RunNow: HASTENED}),
        (PARKED, {Pause: PAUSED, Resume: Left.PARKED, Skip: STEP_SKIPPED, RunNow: Left.PARKED}),
        (HELD, {Pause: Left.ALREADY, Resume: RESUMED, Skip: STEP_SKIPPED, RunNow: Left.PAUSED}),
        (BY_CADENCE, {Pause: PAUSED, Resume: Left.HELD_BY_CADENCE, Skip: STEP_SKIPPED, RunNow: Left.PAUSED}),
        (COMPLETE, dict.fromkeys((Pause, Resume, Skip, RunNow, Cancel), Left.ENDED)),
        (CANCELLED, {**dict.fromkeys((Pause, Resume, Skip, RunNow), Left.ENDED), Cancel: Left.ALREADY}),
    ],
    ids=["active", "parked", "held", "held with its cadence", "completed", "cancelled"],
)
def test_what_each_operation_does_where(
    operation: Operation, enrollment: Enrollment, expected: dict[type, str | Left]
) -> None:
    decision = decide(operation, enrollment, situation(), OLGA, "because")
    told = decision if isinstance(decision, Left) else decision.events[-1].type
    assert told == expected.get(type(operation), "cadence.enrollment.cancelled")


@pytest.mark.parametrize("enrollment", [ACTIVE, PARKED, HELD, BY_CADENCE])
@pytest.mark.parametrize(
    "operation",
    [Pause(NOW + DAY), *map(Resume, ResumeMode), Skip("first"), Cancel()],
    ids=lambda each: getattr(each, "mode", type(each).__name__),
)
def test_every_change_is_told_by_whom_and_why_and_no_revision_is_left_out(
    operation: Operation, enrollment: Enrollment
) -> None:
    decision = decide(operation, enrollment, situation(), OLGA, "because")
    if isinstance(decision, Left):
        return
    assert [event.revision for event in decision.events] == list(range(5, 5 + len(decision.events)))
    assert decision.enrollment.revision == decision.events[-1].revision
    for event in decision.events:
        assert event.data["cause"] == {"actor": "olga"}
        assert "because" in (event.data.get("reason"), event.data.get("note"))
    after = decision.enrollment
    assert (after.next_run_at is not None) is (after.status is Status.ACTIVE)
    assert [after.wait_left is None, after.held_due_at is None, after.paused_by is None] == [
        after.status is not Status.PAUSED
    ] * 3
    assert after.park_reason is None


# Pausing


@pytest.mark.parametrize(
    ("enrollment", "left", "due"),
    [
        (ACTIVE, HOUR, NOW + HOUR),
        (ACTIVE._replace(next_run_at=NOW - HOUR), timedelta(), NOW - HOUR),
        (PARKED, timedelta(), NOW - HOUR),
        (BY_CADENCE, HOUR, NOW),
    ],
    ids=["waiting", "overdue", "parked", "held with its cadence"],
)
def test_a_pause_keeps_what_is_left_and_when_it_was_due(enrollment: Enrollment, left: timedelta, due: datetime) -> None:
    after = decided(Pause(), enrollment).enrollment
    assert (after.wait_left, after.held_due_at, after.paused_by) == (left, due, PausedBy.OPERATOR)


def test_the_newest_pause_says_until_when() -> None:
    until = decided(Pause(NOW + DAY), HELD)
    assert until.enrollment.resume_at == NOW + DAY
    assert until.events[0].data["resumeAt"] == "2026-03-03T12:00:00Z"
    assert decide(Pause(NOW + DAY), until.enrollment, situation(), OLGA, None) is Left.ALREADY
    assert decided(Pause(), until.enrollment).enrollment.resume_at is None


# Going on


@pytest.mark.parametrize(
    ("mode", "due", "left", "expected"),
    [
        (ResumeMode.SHIFT, NOW - DAY, HOUR, NOW + HOUR),
        (ResumeMode.SHIFT, NOW + DAY, HOUR, NOW + HOUR),
        (ResumeMode.CATCH_UP, NOW + DAY, HOUR, NOW + DAY),
        (ResumeMode.CATCH_UP, NOW - DAY, HOUR, NOW),
        (ResumeMode.SKIP_MISSED, NOW + DAY, HOUR, NOW + DAY),
    ],
)
def test_when_the_next_step_is_due(mode: ResumeMode, due: datetime, left: timedelta, expected: datetime) -> None:
    decision = decided(Resume(mode), held(due=due, left=left))
    assert types(decision) == [RESUMED]
    assert decision.enrollment.next_run_at == expected


@pytest.mark.parametrize("mode", [ResumeMode.SHIFT, ResumeMode.CATCH_UP])
def test_what_is_overdue_never_bursts(mode: ResumeMode) -> None:
    where = situation(spread=Spread(NOW + HOUR, APART))
    overdue = held(due=NOW - DAY, left=timedelta())
    due = [decided(Resume(mode), overdue, where).enrollment.next_run_at for _ in range(100)]
    assert due[0] == NOW + HOUR
    assert all(one and other and other - one == APART for one, other in pairwise(due))
    assert where.spread.free_from == NOW + HOUR + 100 * APART


@pytest.mark.parametrize(
    ("due", "skipped", "next_run_at"),
    [
        (NOW, ["first"], NOW + DAY),
        (NOW - HOUR, ["first"], NOW - HOUR + DAY),
        (NOW - DAY, ["first", "second"], NOW + 2 * DAY),
        (NOW - 3 * DAY + HOUR, ["first", "second"], NOW + HOUR),
    ],
)
def test_steps_whose_time_has_passed_are_skipped_and_the_next_keeps_its_time(
    due: datetime, skipped: list[str], next_run_at: datetime
) -> None:
    decision = decided(Resume(ResumeMode.SKIP_MISSED), held(due=due))
    assert types(decision) == [*[STEP_SKIPPED] * len(skipped), RESUMED]
    assert [event.data["stepKey"] for event in decision.events[:-1]] == skipped
    assert {event.data["reason"] for event in decision.events[:-1]} == {"missed"}
    assert (decision.enrollment.step_index, decision.enrollment.next_run_at) == (len(skipped), next_run_at)


def test_who_has_missed_every_step_is_through() -> None:
    decision = decided(Resume(ResumeMode.SKIP_MISSED), held(due=NOW - 3 * DAY))
    assert types(decision) == [STEP_SKIPPED, STEP_SKIPPED, STEP_SKIPPED, COMPLETED]
    assert (decision.enrollment.status, decision.tags) == (Status.COMPLETED, ("done",))


def test_missed_days_are_local_days() -> None:
    # 8 March 2026 has 23 hours in New York.
    due = datetime(2026, 3, 8, 1, tzinfo=UTC)
    where = Situation(VERSION, CadenceStatus.ACTIVE, "America/New_York", Spread(NOW, APART), due)
    after = decided(Resume(ResumeMode.SKIP_MISSED), held(due=due), where).enrollment
    assert after.next_run_at == due + timedelta(hours=23)


def test_a_pause_of_its_cadence_outlives_that_of_the_operator() -> None:
    decision = decided(Resume(), held(left=HOUR), situation(CadenceStatus.PAUSED))
    assert types(decision) == [PAUSED]
    assert (decision.enrollment.paused_by, decision.enrollment.wait_left) == (PausedBy.CADENCE, HOUR)


# Skipping and hastening


@pytest.mark.parametrize(
    ("enrollment", "expected"),
    [
        (ACTIVE, NOW + HOUR + DAY),
        (ACTIVE._replace(next_run_at=NOW - HOUR), NOW + DAY),
        (PARKED, NOW + DAY),
    ],
    ids=["waiting", "overdue", "parked"],
)
def test_later_steps_keep_their_times_behind_one_that_is_skipped(enrollment: Enrollment, expected: datetime) -> None:
    decision = decided(SKIP, enrollment)
    after = decision.enrollment
    assert (after.status, after.step_index, after.next_run_at) == (Status.ACTIVE, 1, expected)
    assert decision.events[0].data["nextRunAt"] == expected.isoformat().replace("+00:00", "Z")


def test_a_pause_goes_on_behind_a_skipped_step() -> None:
    after = decided(SKIP, held(due=NOW - HOUR, left=HOUR)).enrollment
    assert (after.status, after.wait_left, after.held_due_at) == (Status.PAUSED, HOUR + DAY, NOW - HOUR + DAY)


@pytest.mark.parametrize("enrollment", [ACTIVE._replace(step_index=2), held(step=2), PARKED._replace(step_index=2)])
def test_without_its_last_step_it_is_completed(enrollment: Enrollment) -> None:
    decision = decided(Skip("third"), enrollment)
    assert types(decision) == [STEP_SKIPPED, COMPLETED]
    assert (decision.enrollment.status, decision.tags) == (Status.COMPLETED, ("done",))


@pytest.mark.parametrize("index", [1, 2, 3])
def test_only_the_named_step_is_skipped(index: int) -> None:
    assert decide(SKIP, ACTIVE._replace(step_index=index), situation(), OLGA, None) is Left.ANOTHER_STEP


def test_running_now_changes_the_due_time_alone_and_is_told_nobody_outside() -> None:
    decision = decided(RunNow(), ACTIVE)
    assert decision.enrollment == ACTIVE._replace(next_run_at=NOW)
    (event,) = decision.events
    assert (event.data["dueAt"], event.data["stepKey"], event.data["note"]) == (
        "2026-03-02T13:00:00Z",
        "first",
        "because",
    )
    assert decide(RunNow(), decision.enrollment, situation(), OLGA, None) is Left.ALREADY
