"""Each rule of the oracle sees what breaks it, and says so in a sentence; a history that keeps all has nothing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.faults.oracle import judge
from tests.faults.oracle.definitions import Step
from tests.faults.oracle.history import OperatorCancel, Record
from tests.faults.oracle.violations import Promise
from tests.faults.small_history import PHONE, UPSELL, WELCOME, Story, at, kept, starts, wire

ANA, BOB = "ana/welcome", "bob/upsell"
STARTED, EXECUTED = "cadence.enrollment.started", "cadence.step.executed"
CANCELLED, COMPLETED = "cadence.enrollment.cancelled", "cadence.enrollment.completed"
SEND = "whatsapp.send.requested"

Break = Callable[[Story], None]
BREAKS: dict[str, tuple[set[Promise], Break]] = {}


def breaks(*promises: Promise) -> Callable[[Break], Break]:
    """Registers a way to break a promise, named by the function; further ones are those that break with it."""

    def register(way: Break) -> Break:
        BREAKS[way.__name__] = set(promises), way
        return way

    return register


def is_(enrollment: str, type_: str, step: int | None = None) -> Callable[[Record], bool]:
    return lambda each: (
        each.data["enrollmentId"] == enrollment
        and each.type == type_
        and (step is None or each.data["stepIndex"] == step)
    )


def of(enrollment: str) -> Callable[[Record], bool]:
    return lambda each: each.data["enrollmentId"] == enrollment


def test_a_history_that_keeps_all_promises_has_no_violation() -> None:
    assert judge(kept().history()) == []


@breaks(Promise.PUBLISHED_ONCE)
def a_send_published_twice(story: Story) -> None:
    (send,) = filter(is_(ANA, SEND, 0), story.outputs)
    story.outputs.append(replace(send, offset=99))


@breaks(Promise.REVISIONS)
def a_gap_in_the_revisions(story: Story) -> None:
    story.change(is_(BOB, CANCELLED), revision=4)


@breaks(Promise.REVISIONS, Promise.CONSISTENT)
def an_event_before_the_one_that_it_follows(story: Story) -> None:
    (cancelled,) = filter(is_(BOB, CANCELLED), story.outputs)
    story.outputs.remove(cancelled)
    story.outputs.insert(2, cancelled)


@breaks(Promise.CONSISTENT)
def a_step_sent_and_not_executed(story: Story) -> None:
    story.drop(is_(BOB, EXECUTED))
    story.change(is_(BOB, CANCELLED), revision=2)


@breaks(Promise.CONSISTENT)
def a_step_executed_and_not_sent(story: Story) -> None:
    story.drop(is_(BOB, SEND))


@breaks(Promise.CONSISTENT)
def a_send_for_another_due_time_than_its_execution(story: Story) -> None:
    story.change(is_(BOB, SEND), dueAt=wire(4))


@breaks(Promise.CONSISTENT)
def a_completion_before_the_last_step(story: Story) -> None:
    story.drop(is_(ANA, SEND, 1))
    story.drop(is_(ANA, EXECUTED, 1))
    story.change(is_(ANA, COMPLETED), revision=3)


@breaks(Promise.CONSISTENT)
def something_after_the_end(story: Story) -> None:
    story.tells(ANA, "cadence.enrollment.parked", 4, 5, reason="unreachable", detail="")


@breaks(Promise.STEPS_IN_ORDER, Promise.CONSISTENT, Promise.DUE_TIMES)
def a_step_that_runs_again_under_a_new_revision(story: Story) -> None:
    story.drop(is_(ANA, COMPLETED))
    for send in filter(is_(ANA, SEND, 1), list(story.outputs)):
        story.outputs.append(replace(send, id="again", data={**send.data, "sendId": "again"}))
    for event in filter(is_(ANA, EXECUTED, 1), list(story.outputs)):
        again = {**event.data, "sendId": "again", "revision": 4}
        story.outputs.append(replace(event, id="again, executed", data=again))
    story.tells(ANA, COMPLETED, 3.3, 5)


@breaks(Promise.CONTENT)
def a_step_with_another_steps_template(story: Story) -> None:
    (send,) = filter(is_(ANA, SEND, 0), story.outputs)
    story.change(is_(ANA, SEND, 0), template={**send.data["template"], "id": "welcome_2"})


@breaks(Promise.CONSISTENT)
def an_event_of_an_unknown_type(story: Story) -> None:
    story.change(is_(ANA, COMPLETED), revision=5)
    completed = story.outputs.pop(next(n for n, each in enumerate(story.outputs) if is_(ANA, COMPLETED)(each)))
    story.tells(ANA, "cadence.enrollment.enchanted", 3.3, 4)
    story.outputs.append(replace(completed, offset=99))


@breaks(Promise.CONSISTENT)
def a_passage_that_changes_its_version(story: Story) -> None:
    story.change(is_(BOB, CANCELLED), version=2)


@breaks(Promise.CONSISTENT)
def an_event_published_before_it_was_decided(story: Story) -> None:
    story.change(is_(BOB, CANCELLED), at=wire(8))


@breaks(Promise.CONSISTENT)
def an_event_in_another_partition_than_its_contacts(story: Story) -> None:
    story.outputs = [replace(each, partition=1) if is_(BOB, CANCELLED)(each) else each for each in story.outputs]


@breaks(Promise.CONSISTENT, Promise.NOTHING_MISSING)
def sends_of_an_enrollment_that_never_started(story: Story) -> None:
    story.drop(lambda each: of(BOB)(each) and each.type != SEND)
    story.inputs = [each for each in story.inputs if each.type != "message.received"]


@breaks(Promise.CONTENT)
def a_send_in_another_language(story: Story) -> None:
    (send,) = filter(is_(ANA, SEND, 0), story.outputs)
    story.change(is_(ANA, SEND, 0), template={**send.data["template"], "language": "en_US"})


@breaks(Promise.CONTENT)
def a_send_with_another_contacts_name(story: Story) -> None:
    (send,) = filter(is_(ANA, SEND, 0), story.outputs)
    story.change(is_(ANA, SEND, 0), template={**send.data["template"], "variables": {"contactName": "Bob"}})


@breaks(Promise.CONTENT)
def a_send_without_the_name_that_its_trigger_told(story: Story) -> None:
    (send,) = filter(is_(ANA, SEND, 0), story.outputs)
    story.change(is_(ANA, SEND, 0), template={**send.data["template"], "variables": {"contactName": "friend"}})


@breaks(Promise.CONTENT)
def a_send_that_expires_too_late(story: Story) -> None:
    story.change(is_(ANA, SEND, 0), expiresAt=wire(9999))


@breaks(Promise.CONTENT)
def a_send_to_nowhere(story: Story) -> None:
    story.change(is_(ANA, SEND, 0), to=None)


@breaks(Promise.ASKED_FOR)
def a_passage_that_names_another_trigger_than_its_cause(story: Story) -> None:
    story.change(is_(BOB, STARTED), trigger="contact.created")


@breaks(Promise.ASKED_FOR)
def a_cancellation_that_names_another_message(story: Story) -> None:
    story.change(is_(BOB, CANCELLED), messageId="another")


@breaks(Promise.NOTHING_MISSING)
def a_lost_trigger_with_a_later_one_that_started(story: Story) -> None:
    """Both are Bob's purchases: neither the passage of the later nor his later reply can have kept it from starting."""
    story.hears("purchase.completed", -0.5, "bob")
    story.inputs.insert(0, replace(story.inputs.pop(), offset=-1))


@breaks(Promise.NOTHING_MISSING)
def a_lost_trigger_of_who_opted_out_long_after_it(story: Story) -> None:
    """Bob bought in the same partition later, and began: so Carl's purchase was applied before Carl opted out."""
    story.hears("purchase.completed", -0.5, "carl")
    story.inputs.insert(0, replace(story.inputs.pop(), offset=-1))
    story.hears("contact.preferences.changed", 5, "carl", marketing="stop")


@breaks(Promise.NONE_EARLY)
def a_step_decided_early(story: Story) -> None:
    story.change(is_(BOB, SEND), requestedAt=wire(5), expiresAt=wire(3605))
    story.change(is_(BOB, EXECUTED), at=wire(5), nextRunAt=wire(10))


@breaks(Promise.NONE_EARLY)
def a_send_appended_before_it_is_due(story: Story) -> None:
    story.outputs = [replace(each, appended_at=at(5.0)) if is_(BOB, SEND)(each) else each for each in story.outputs]


@breaks(Promise.DUE_TIMES)
def a_wait_that_is_too_short(story: Story) -> None:
    story.change(is_(BOB, EXECUTED), nextRunAt=wire(9))


@breaks(Promise.DUE_TIMES)
def a_step_that_ran_for_another_time_than_announced(story: Story) -> None:
    story.change(is_(BOB, SEND), dueAt=wire(5))
    story.change(is_(BOB, EXECUTED), dueAt=wire(5))


@breaks(Promise.DUE_TIMES)
def a_day_counted_in_server_time(story: Story) -> None:
    """New York's clocks change on 8 March 2026: eight days of its time are an hour shorter than elsewhere."""
    story.cadences = [replace(WELCOME, steps=(Step("step-1", "welcome_1", days=8),)), UPSELL]
    story.drop(of(ANA))
    starts(ANA, story, story.inputs[0].id, 0.1, due=8 * 86400 + 0.1, trigger="contact.created")


@breaks(Promise.NONE_AFTER_A_STOP, Promise.CONSISTENT)
def a_step_due_after_the_reply(story: Story) -> None:
    story.change(is_(BOB, CANCELLED), revision=4)
    cancelled = story.outputs.pop()
    story.runs(BOB, 1, 10.3, due=10.2, then=None)
    story.outputs.append(replace(cancelled, offset=99))


@breaks(Promise.NONE_AFTER_A_STOP)
def a_step_due_after_an_opt_out(story: Story) -> None:
    story.hears("contact.preferences.changed", 2, "ana", marketing="stop")


@breaks(Promise.NONE_AFTER_A_STOP)
def a_step_due_after_the_deletion(story: Story) -> None:
    story.hears("contact.deleted", 2, "ana")


@breaks(Promise.NONE_BEYOND_MAX_LAG)
def a_step_decided_long_after_the_reply(story: Story) -> None:
    """It was due before, but the engine had all the time to know better."""
    story.inputs = [
        replace(each, appended_at=at(5.15), acknowledged_at=at(5.16)) if each.type == "message.received" else each
        for each in story.inputs
    ]
    story.drop(is_(BOB, SEND))
    story.drop(is_(BOB, EXECUTED))
    cancelled = story.outputs.pop()
    story.runs(BOB, 0, 10.5, due=5.1, then=15.5)
    told = {**cancelled.data, "at": wire(10.6)}
    story.outputs.append(replace(cancelled, offset=99, appended_at=at(10.7), data=told))


@breaks(Promise.NONE_AFTER_A_CANCEL)
def a_step_decided_after_a_confirmed_cancel(story: Story) -> None:
    story.cancels.append(OperatorCancel(ANA, at(2)))


@breaks(Promise.OWN_COMPANY)
def a_send_to_the_phone_of_another_company(story: Story) -> None:
    story.change(is_(BOB, SEND), to="+5511888880000")


@breaks(Promise.OWN_COMPANY, Promise.ASKED_FOR, Promise.NOTHING_MISSING)
def a_passage_started_by_another_companys_event(story: Story) -> None:
    bought = story.hears("purchase.completed", 0, "bob", company="bravo")
    story.change(is_(BOB, STARTED), cause={"source": "/crm", "id": bought})


@breaks(Promise.ASKED_FOR)
def a_passage_without_a_trigger(story: Story) -> None:
    story.change(is_(BOB, STARTED), cause={"source": "/crm", "id": "nothing"})


@breaks(Promise.ASKED_FOR, Promise.NOTHING_MISSING)
def two_passages_by_one_event(story: Story) -> None:
    starts("ana/welcome/2", story, story.inputs[0].id, 9, due=10, trigger="contact.created")
    story.change(of("ana/welcome/2"), cadenceKey="welcome")


@breaks(Promise.ASKED_FOR, Promise.NOTHING_MISSING)
def two_passages_at_once(story: Story) -> None:
    bought = story.hears("purchase.completed", 2, "bob")
    early = Story()
    starts(BOB, early, bought, 2.1, due=7.1, trigger="purchase.completed")
    (second,) = early.outputs
    second = replace(second, id="second", offset=2, data={**second.data, "enrollmentId": "bob/upsell/2"})
    story.outputs.insert(2, second)


@breaks(Promise.ASKED_FOR)
def a_cancellation_without_a_reason(story: Story) -> None:
    story.change(is_(BOB, CANCELLED), cause={"source": "/crm", "id": "nothing"})


@breaks(Promise.ASKED_FOR)
def a_cancellation_by_a_message_from_before_the_trigger(story: Story) -> None:
    early = story.hears("message.received", -5, "bob")
    story.change(is_(BOB, CANCELLED), cause={"source": "/crm", "id": early})


@breaks(Promise.ASKED_FOR)
def a_cancellation_by_an_operator_who_did_not(story: Story) -> None:
    story.change(is_(BOB, CANCELLED), reason="operator", cause={"actor": "eve"})


@breaks(Promise.NOTHING_MISSING)
def a_trigger_that_started_nothing(story: Story) -> None:
    story.drop(of(ANA))


@breaks(Promise.NOTHING_MISSING)
def a_step_that_never_ran(story: Story) -> None:
    story.drop(is_(ANA, COMPLETED))
    story.drop(is_(ANA, EXECUTED, 1))
    story.drop(is_(ANA, SEND, 1))


@breaks(Promise.NOTHING_MISSING)
def a_completion_that_never_came(story: Story) -> None:
    story.drop(is_(ANA, COMPLETED))


@breaks(Promise.NOTHING_MISSING)
def a_reply_that_ended_nothing(story: Story) -> None:
    story.drop(is_(BOB, CANCELLED))
    story.settled_at = 8


@breaks(Promise.NOTHING_MISSING)
def a_confirmed_cancel_that_was_never_published(story: Story) -> None:
    story.inputs = [each for each in story.inputs if each.type != "message.received"]
    story.drop(is_(BOB, CANCELLED))
    story.settled_at = 8
    story.cancels.append(OperatorCancel(BOB, at(7)))


@breaks(Promise.NOTHING_MISSING)
def an_enrollment_parked_though_its_phone_is_known(story: Story) -> None:
    story.drop(is_(BOB, CANCELLED))
    story.inputs = [each for each in story.inputs if each.type != "message.received"]
    story.tells(BOB, "cadence.enrollment.parked", 10.3, 3, reason="unreachable", detail="no phone")


@pytest.mark.parametrize("way", BREAKS)
def test_a_broken_promise_is_named_with_its_contact_enrollment_and_records(way: str) -> None:
    promises, do_break = BREAKS[way]
    story = kept()
    do_break(story)
    violations = judge(story.history())
    assert {violation.promise for violation in violations} == promises, [str(each) for each in violations]
    for violation in violations:
        assert violation.records
        assert "/".join(violation.contact) in str(violation)
        assert violation.records[0].where in str(violation)
        assert violation.enrollment_id is None or violation.enrollment_id in str(violation)


def test_every_promise_has_a_way_to_be_broken() -> None:
    assert {promise for promises, _ in BREAKS.values() for promise in promises} == set(Promise)


def test_what_may_rightly_keep_a_trigger_from_starting_is_no_violation() -> None:
    story = kept()
    story.hears("purchase.completed", 2, "bob")  # he is in that cadence
    story.hears("contact.created", 20, "carl", phone=PHONE)
    story.hears("message.received", 20, "carl")  # may have been applied first
    story.hears("purchase.completed", -0.5, "eva")
    story.inputs.insert(0, replace(story.inputs.pop(), offset=-1))
    story.hears("contact.preferences.changed", 0.05, "eva", marketing="stop")  # Bob's later purchase is told at 0.12
    story.hears("contact.created", 20, "dora", phone=PHONE)
    story.hears("contact.deleted", 21, "dora")
    assert judge(story.history()) == []


def test_a_send_that_its_contacts_deletion_overtook_is_told_as_skipped_in_its_place() -> None:
    story = kept()
    story.hears("contact.deleted", 20, "ana")
    _erase(story)
    assert judge(story.history()) == []


@pytest.mark.parametrize("wrong", [{"event_id": "another"}, {"revision": 4}, {"step_index": 0}])
def test_a_skipped_step_that_says_not_which_send_it_was_excuses_none(wrong: dict[str, Any]) -> None:
    story = kept()
    story.hears("contact.deleted", 20, "ana")
    _erase(story, **wrong)
    assert {violation.promise for violation in judge(story.history())} == {Promise.CONSISTENT}


def test_nothing_is_erased_of_whom_nobody_deleted() -> None:
    story = kept()
    _erase(story)
    assert {violation.promise for violation in judge(story.history())} == {Promise.CONSISTENT}


def test_who_wants_messages_again_in_the_millisecond_of_the_opt_out_gets_them() -> None:
    story = kept()
    story.hears("contact.preferences.changed", 0, "ana", marketing="stop")
    story.hears("contact.preferences.changed", 0, "ana", marketing="resume")
    assert judge(story.history()) == []


def test_a_reply_that_was_not_yet_acknowledged_forbids_nothing_yet() -> None:
    story = kept()
    story.inputs = [
        replace(each, appended_at=at(5.05), acknowledged_at=at(5.15)) if each.type == "message.received" else each
        for each in story.inputs
    ]
    assert judge(story.history()) == []


@pytest.mark.parametrize(
    ("since", "days", "zone", "due"),
    [
        ("2026-03-07T17:00:00+00:00", 1, "America/New_York", "2026-03-08T16:00:00+00:00"),
        ("2026-03-07T07:30:00+00:00", 1, "America/New_York", "2026-03-08T07:30:00+00:00"),  # 02:30 is not there: 03:30
        ("2026-10-31T05:30:00+00:00", 1, "America/New_York", "2026-11-01T05:30:00+00:00"),  # 01:30 is there twice
        ("2026-03-07T17:00:00+00:00", 1, "UTC", "2026-03-08T17:00:00+00:00"),
    ],
)
def test_days_are_wall_clock_days(since: str, days: int, zone: str, due: str) -> None:
    step = Step("step", "template", days, timedelta(seconds=1))
    reached = step.due(datetime.fromisoformat(since), zone)
    assert reached == datetime.fromisoformat(due) + timedelta(seconds=1)
    assert reached.tzinfo is UTC


def _erase(story: Story, *, event_id: str | None = None, revision: int = 3, step_index: int = 1) -> None:
    """Ana's last send, not published when she was deleted."""
    (send,) = filter(is_(ANA, SEND, 1), story.outputs)
    story.outputs.remove(send)
    told = {"reason": "erased", "stepKey": "step-2", "stepIndex": step_index}
    story.tells(ANA, "cadence.step.skipped", 3.3, revision, **told)
    story.outputs.append(replace(story.outputs.pop(), id=event_id or send.id))
