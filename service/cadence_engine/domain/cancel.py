"""Ending a live enrollment before its last step."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from cadence_engine.domain.decision import Decision
from cadence_engine.domain.enrollment import Enrollment, Status
from cadence_engine.domain.events import CANCELLED, Cause, about


class CancelReason(StrEnum):
    """An open set on the wire: consumers must accept more."""

    REPLIED = "replied"
    OPTED_OUT = "opted_out"
    CONTACT_DELETED = "contact_deleted"
    COMPANY_DELETED = "company_deleted"
    OPERATOR = "operator"
    REQUESTED = "requested"
    CADENCE_ARCHIVED = "cadence_archived"


class InboundMessage(NamedTuple):
    """A message from the contact; `at` in Kafka's clock."""

    at: datetime
    message_id: str | None
    cause: Cause


def is_reply(message: InboundMessage, enrollment: Enrollment, grace: timedelta) -> bool:
    """Whether a message answers this passage: written at or after its trigger, beyond the grace."""
    return message.at >= enrollment.triggered_at + grace


def cancel(
    enrollment: Enrollment,
    reason: CancelReason,
    cause: Cause,
    now: datetime,
    *,
    message_id: str | None = None,
    note: str | None = None,
) -> Decision:
    """`enrollment` is live. `note` is the operator's own words."""
    cancelled = enrollment.freed()._replace(
        status=Status.CANCELLED,
        next_run_at=None,
        ended_at=now,
        cancel_reason=reason.value,
        revision=enrollment.revision + 1,
    )
    event = about(
        cancelled,
        CANCELLED,
        now,
        cause,
        stepIndex=enrollment.step_index,
        reason=reason.value,
        actor=cause.actor,
        messageId=message_id,
        note=note,
    )
    return Decision(cancelled, (event,), enrollment)
