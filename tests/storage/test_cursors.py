"""A cursor is a place in one list, and no place in any other."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from cadence_engine.domain.enrollment import Status
from cadence_engine.storage import cursor
from cadence_engine.storage.cursor import BadCursor
from cadence_engine.storage.enrollments import cursor as of_enrollments
from cadence_engine.storage.enrollments.choose import Chosen
from cadence_engine.storage.letter_filter import LetterFilter, LetterState
from cadence_engine.storage.relay import LetterId

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLACE = (NOON + timedelta(microseconds=1), "contáct\n", 2**62, UUID(int=7))
KINDS = (datetime, str, int, UUID)
ENROLLMENTS = Chosen("acme")
LETTERS = LetterFilter("acme")
OTHER_CHOICES: list[tuple[object, object]] = [
    (ENROLLMENTS, replace(ENROLLMENTS, company_id="other")),
    (ENROLLMENTS, replace(ENROLLMENTS, statuses=frozenset({Status.ACTIVE, Status.PAUSED}))),
    (ENROLLMENTS, replace(ENROLLMENTS, cadence_id=uuid4())),
    (ENROLLMENTS, replace(ENROLLMENTS, contact_id="ana")),
    (ENROLLMENTS, replace(ENROLLMENTS, due_after=NOON)),
    (replace(ENROLLMENTS, due_after=NOON), replace(ENROLLMENTS, started_after=NOON)),
    (LETTERS, replace(LETTERS, state=LetterState.DROPPED)),
    (LETTERS, replace(LETTERS, topic="contact.created")),
    (LETTERS, replace(LETTERS, letter=LetterId("contact.created", 0, 1))),
    (["timeline", "acme", "ana"], ["timeline", "acme", "bia"]),
]


@pytest.mark.parametrize("choice", [ENROLLMENTS, LETTERS, ["timeline", "acme", "ana"]])
def test_it_leads_back_to_its_place(choice: object) -> None:
    assert cursor.read(choice, cursor.write(choice, PLACE), KINDS) == PLACE


@pytest.mark.parametrize(("choice", "other"), OTHER_CHOICES)
def test_with_another_choice_it_is_refused(choice: object, other: object) -> None:
    with pytest.raises(BadCursor, match="ask as before, or begin without one"):
        cursor.read(other, cursor.write(choice, PLACE), KINDS)


def test_the_same_choice_in_other_words_is_the_same() -> None:
    there = NOON.astimezone(timezone(timedelta(hours=-3)))
    one = Chosen("acme", statuses=frozenset({Status.ACTIVE, Status.PAUSED}), due_before=NOON)
    same = Chosen("acme", statuses=frozenset({Status.PAUSED, Status.ACTIVE}), due_before=there)
    assert cursor.read(same, cursor.write(one, PLACE), KINDS) == PLACE


def _made_up(*parts: Any) -> str:
    """By somebody who knows how ours are written."""
    digest = orjson.loads(base64.urlsafe_b64decode(cursor.write(ENROLLMENTS, ()) + "=="))
    return base64.urlsafe_b64encode(orjson.dumps([*digest, *parts])).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    ["", "x", "!", "e30", "W10", "WyJiZWd1biJd", _made_up(), _made_up("x"), _made_up(7), _made_up(str(uuid4()), "x")],
)
def test_what_was_never_given_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        of_enrollments.read(ENROLLMENTS, text)
