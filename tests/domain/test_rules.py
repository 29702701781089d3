"""Triggers, the gate, and what late knowledge does."""

from datetime import UTC, datetime, timedelta

import pytest

from cadence_engine.domain import gate
from cadence_engine.domain.cadence import Scalar, Trigger
from cadence_engine.domain.contact import Contact, ContactChange
from cadence_engine.domain.gate import GateReading, Held
from cadence_engine.domain.policy import Policy
from cadence_engine.domain.triggers import matches

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("where", "data", "expected"),
    [
        ({}, {}, True),
        ({"product": ("starter",)}, {"product": "starter"}, True),
        ({"product": ("starter",)}, {"product": "pro"}, False),
        ({"product": ("starter",)}, {}, False),
        ({"product": ("starter", "pro")}, {"product": "pro"}, True),
        ({"gift": (True,)}, {"gift": 1}, False),
        ({"count": (1,)}, {"count": True}, False),
        ({"count": (1,)}, {"count": 1.0}, True),
        ({"a": ("x",), "b": ("y",)}, {"a": "x"}, False),
    ],
)
def test_where(where: dict[str, tuple[Scalar, ...]], data: dict[str, Scalar], expected: bool) -> None:
    assert matches(Trigger("purchase.completed", where), "purchase.completed", data) is expected
    assert not matches(Trigger("purchase.completed", where), "contact.created", data)


@pytest.mark.parametrize(
    ("watermark", "oldest", "expected"),
    [
        (ago(1), None, ago(1)),
        (ago(5), None, ago(5)),
        (ago(5.001), None, Held.REPLIES_BEHIND),
        (ago(-0.001), None, Held.WATERMARK_AHEAD),
        (ago(1), ago(10), ago(1)),
        (ago(1), ago(10.001), Held.RELAY_STUCK),
    ],
)
def test_the_gate(watermark: datetime, oldest: datetime | None, expected: datetime | Held) -> None:
    assert gate.decide(GateReading(NOW, watermark, oldest), Policy()) == expected


def test_the_newest_word_wins_field_by_field_in_any_order() -> None:
    created = (ContactChange(name="Ana", phone="+5511999990000"), ago(10))
    updated = (ContactChange(name="Ana Souza"), ago(5))
    cleared = (ContactChange(phone=None), ago(1))
    for order in ([created, updated, cleared], [cleared, updated, created], [updated, cleared, created]):
        contact = Contact("acme", "ana")
        for change, at in order:
            contact = contact.told(change, at)
        assert (contact.name.value, contact.phone.value) == ("Ana Souza", None)


def test_erasing_forgets_what_is_not_newer_and_keeps_the_opt_out() -> None:
    contact = Contact("acme", "ana").told(ContactChange(name="Ana"), ago(10)).prefers(stop=True, at=ago(9))
    erased = contact.erase(ago(5))
    assert erased.erased
    assert erased.name.value is None
    assert erased.opted_out.value
    assert erased.forgets(ago(5))
    assert not erased.forgets(ago(4))
    revived = erased.told(ContactChange(name="Ana"), ago(1))
    assert not revived.erased
    assert revived.name.value == "Ana"


@pytest.mark.parametrize(("mentioned", "erased"), [(4, False), (5, True), (6, True)])
def test_who_is_named_since_a_deletion_is_there_whichever_is_read_first(mentioned: int, erased: bool) -> None:
    contact = Contact("acme", "ana")._replace(mentioned_at=ago(mentioned)).erase(ago(5))
    assert contact.erased is erased
    assert contact == Contact("acme", "ana").erase(ago(5))._replace(mentioned_at=ago(mentioned))
    assert contact == contact.erase(ago(5))


def test_a_deletion_that_is_read_again_changes_nothing() -> None:
    erased = Contact("acme", "ana", mentioned_at=ago(5)).erase(ago(5))
    assert erased.erased
    assert erased.erase(ago(5)) == erased
    named_late = erased._replace(mentioned_at=ago(5))  # by a record that is not newer, and was read behind it
    assert named_late.erased
    assert named_late.erase(ago(5)) == named_late


def test_an_older_message_does_not_change_the_newest_conversation() -> None:
    contact = Contact("acme", "ana").messaged(ago(1), inbound=False, conversation_id="new")
    contact = contact.messaged(ago(9), inbound=True, conversation_id="old")
    assert contact.last_conversation.value == "new"
    assert (contact.last_message_at, contact.last_inbound_at) == (ago(1), ago(9))
