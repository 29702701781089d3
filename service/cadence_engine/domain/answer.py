"""A reply to a passage that has run its last step: it ends nothing, and yet it is what the cadence was for."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from cadence_engine.domain.cancel import InboundMessage
from cadence_engine.domain.enrollment import Enrollment, Status
from cadence_engine.domain.events import ANSWERED, Event, about

ANSWER_WITHIN = timedelta(days=7)
"""What a contact writes later is no answer to the last step."""


def answer_to(
    enrollment: Enrollment, messages: Iterable[InboundMessage], wrote_before: datetime | None
) -> InboundMessage | None:
    """The first of `messages` after the passage was completed, unless the contact wrote since then already.

    `wrote_before`: when the contact last wrote before these messages.
    """
    ended = enrollment.ended_at
    if (
        enrollment.status is not Status.COMPLETED
        or ended is None
        or (wrote_before is not None and wrote_before >= ended)
    ):
        return None
    answers = (message for message in messages if ended <= message.at <= ended + ANSWER_WITHIN)
    return min(answers, key=lambda message: message.at, default=None)


def answered(enrollment: Enrollment, message: InboundMessage, now: datetime) -> Event:
    """Tells of it, for the funnel and for whoever asks; other services have the message itself."""
    step = {"stepIndex": enrollment.step_index, "messageId": message.message_id}
    return about(enrollment, ANSWERED, now, message.cause, **step)
