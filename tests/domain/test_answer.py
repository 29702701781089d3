"""Which message answers a completed passage."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from cadence_engine.domain.answer import ANSWER_WITHIN, answer_to
from cadence_engine.domain.cancel import InboundMessage
from cadence_engine.domain.enrollment import Enrollment, Status
from cadence_engine.domain.events import Cause

ENDED = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
COMPLETED = Enrollment(
    company_id="acme",
    enrollment_id=uuid.uuid4(),
    cadence_id=uuid.uuid4(),
    cadence_key="trial",
    version=1,
    contact_id="ana",
    lead_id=None,
    conversation_id=None,
    status=Status.COMPLETED,
    step_index=3,
    next_run_at=None,
    revision=5,
    trigger="api",
    triggered_at=ENDED - timedelta(days=3),
    started_at=ENDED - timedelta(days=3),
    context={},
    ended_at=ENDED,
)


def wrote(at: datetime) -> InboundMessage:
    return InboundMessage(at, "m", Cause(source="/inbox", id="1"))


@pytest.mark.parametrize(
    ("messages", "wrote_before", "expected"),
    [
        ([ENDED], None, ENDED),
        ([ENDED - SECOND], None, None),
        ([ENDED - SECOND, ENDED + SECOND], None, ENDED + SECOND),
        ([ENDED + 2 * SECOND, ENDED + SECOND], None, ENDED + SECOND),
        ([ENDED + ANSWER_WITHIN], None, ENDED + ANSWER_WITHIN),
        ([ENDED + ANSWER_WITHIN + SECOND], None, None),
        ([ENDED + 2 * SECOND], ENDED - SECOND, ENDED + 2 * SECOND),
        ([ENDED + 2 * SECOND], ENDED + SECOND, None),
        ([ENDED + 2 * SECOND], ENDED, None),
    ],
)
def test_the_first_message_after_the_end_answers(
    messages: list[datetime], wrote_before: datetime | None, expected: datetime | None
) -> None:
    found = answer_to(COMPLETED, map(wrote, messages), wrote_before)
    assert (found and found.at) == expected


def test_a_passage_that_a_reply_ended_is_answered_by_no_other() -> None:
    cancelled = COMPLETED._replace(status=Status.CANCELLED, cancel_reason="replied")
    assert answer_to(cancelled, [wrote(ENDED + SECOND)], None) is None
