"""A funnel is made of counts."""

import uuid
from datetime import timedelta

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
from cadence_engine.domain.events import CANCELLED, COMPLETED, MOVED, PARKED, SEND_REQUESTED, STARTED, STEP_SKIPPED
from cadence_engine.domain.funnel import WHOLE, Count, StepFunnel, funnel

STEPS = tuple(Step(key, Wait(days=1), Template(key, "marketing", {})) for key in "abc")
VERSION = CadenceVersion(
    "acme",
    uuid.uuid4(),
    2,
    Definition(
        key="trial",
        name="Trial",
        trigger=Trigger("api", {}),
        reentry=Reentry(ReentryRule.ALWAYS),
        cancel_on_reply=True,
        reply_grace=timedelta(),
        send_within=timedelta(hours=1),
        language=None,
        steps=STEPS,
        completion_tags=(),
    ),
)


def test_steps_rates_and_what_is_live() -> None:
    told = funnel(
        VERSION,
        [
            Count(2, STARTED, WHOLE, "", 100),
            Count(2, CANCELLED, 0, "replied", 5),
            Count(2, CANCELLED, 0, "opted_out", 3),
            Count(2, SEND_REQUESTED, 0, "", 80),
            Count(2, STEP_SKIPPED, 0, "", 2),
            Count(2, CANCELLED, 1, "replied", 20),
            Count(2, PARKED, 1, "", 7),
            Count(2, SEND_REQUESTED, 1, "", 40),
            Count(2, CANCELLED, 2, "replied", 10),
            Count(2, SEND_REQUESTED, 2, "", 25),
            Count(2, COMPLETED, WHOLE, "", 25),
            Count(1, STARTED, WHOLE, "", 1000),
            Count(1, CANCELLED, 1, "replied", 1000),
        ],
    )

    assert told.steps == [
        StepFunnel("a", reached=100, sent=80, skipped=2, parked=0, replied=20),
        StepFunnel("b", reached=82, sent=40, skipped=0, parked=7, replied=10),
        StepFunnel("c", reached=40, sent=25, skipped=0, parked=0, replied=0),
    ]
    assert (told.started, told.completed, told.live) == (100, 25, 37)
    assert (told.replied_before, told.replied) == (5, 35)
    assert (told.reply_rate, told.completion_rate) == (0.35, 0.25)
    assert told.steps[0].reply_rate == 0.25


def test_where_nobody_started_there_are_no_rates() -> None:
    told = funnel(VERSION, [])
    assert (told.live, told.reply_rate, told.completion_rate, told.steps[0].reply_rate) == (0, None, None, None)


def test_who_was_moved_counts_where_they_went() -> None:
    told = funnel(
        VERSION,
        [
            Count(2, STARTED, WHOLE, "", 10),
            Count(2, SEND_REQUESTED, 0, "", 10),
            Count(2, MOVED, 1, "1", 30),
            Count(3, MOVED, 2, "2", 4),
            Count(3, MOVED, 2, "1", 100),
            Count(2, SEND_REQUESTED, 1, "", 20),
            Count(2, COMPLETED, WHOLE, "", 9),
        ],
    )

    assert [step.reached for step in told.steps] == [10, 40, 20]
    assert (told.moved_in, told.moved_out, told.passages, told.live) == (30, 4, 36, 27)
    assert told.completion_rate == 0.25
