"""Running a due step: one send and the next due time, or the end, or a reason to park."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cadence_engine.domain import schedule, templates
from cadence_engine.domain.cadence import CadenceVersion, Step
from cadence_engine.domain.complete import complete
from cadence_engine.domain.decision import Decision
from cadence_engine.domain.enrollment import Enrollment, ParkReason
from cadence_engine.domain.events import SCHEDULE, STEP_EXECUTED, Event, about, send_requested, wire_time
from cadence_engine.domain.facts import Facts
from cadence_engine.domain.park import park
from cadence_engine.domain.policy import Policy


@dataclass(frozen=True, slots=True)
class Addressed:
    """A step that can be sent: whom to, and with which variables. `to` or `conversation_id` is set."""

    to: str | None
    conversation_id: str | None
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a step cannot be sent, and what to mend."""

    reason: ParkReason
    detail: str


def address(enrollment: Enrollment, step: Step, facts: Facts) -> Addressed | Obstacle:
    """The one place of the question whether a step may go now."""
    try:
        variables = templates.fill(step.template, facts, enrollment.context)
    except templates.MissingVariable as missing:
        return Obstacle(ParkReason.MISSING_VARIABLE, str(missing))
    conversation_id = enrollment.conversation_id or facts.conversation_id
    if facts.phone is None and conversation_id is None:
        detail = "the contact has neither a phone nor a conversation: send contact.updated with a phone"
        return Obstacle(ParkReason.UNREACHABLE, detail)
    return Addressed(facts.phone, conversation_id, variables)


def advance(enrollment: Enrollment, version: CadenceVersion, facts: Facts, now: datetime, policy: Policy) -> Decision:
    """What happens to an active enrollment whose `next_run_at` has come. `now` is the database's clock."""
    step = version.step_at(enrollment.step_index)
    if step is None:
        return complete(enrollment, version, (), enrollment, now=now, cause=SCHEDULE)
    addressed = address(enrollment, step, facts)
    if isinstance(addressed, Obstacle):
        return park(enrollment, addressed.reason, addressed.detail, facts, now)
    following = version.step_at(enrollment.step_index + 1)
    zone = facts.zone(policy.default_time_zone)
    moved = enrollment._replace(
        step_index=enrollment.step_index + 1,
        next_run_at=None if following is None else schedule.after(now, following.wait, zone),
        revision=enrollment.revision + 1,
    )
    send = send_requested(
        moved,
        step,
        index=enrollment.step_index,
        to=addressed.to,
        conversation_id=addressed.conversation_id,
        language=version.definition.language or facts.language(policy.default_language),
        variables=addressed.variables,
        due_at=enrollment.next_run_at or now,
        at=now,
        expires_at=now + version.definition.send_within,
    )
    told = (send, _executed(enrollment, moved, step, send, now))
    if following is None:
        return complete(moved, version, told, enrollment, now=now, cause=SCHEDULE)
    return Decision(moved, told, enrollment)


def _executed(before: Enrollment, after: Enrollment, step: Step, send: Event, now: datetime) -> Event:
    return about(
        after,
        STEP_EXECUTED,
        now,
        SCHEDULE,
        stepKey=step.key,
        stepIndex=before.step_index,
        sendId=send.data["sendId"],
        dueAt=wire_time(before.next_run_at or now),
        nextRunAt=after.next_run_at and wire_time(after.next_run_at),
    )
