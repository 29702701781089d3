"""What an operator sees of a dead letter without asking for all of it."""

import json
from datetime import UTC, datetime

import pytest

from cadence_engine.handlers.letter_content import content_of
from cadence_engine.storage.letter_filter import LetterState
from cadence_engine.storage.reports.dead_letters import LetterLine, WholeLetter

PHONE, NAME = "+5511987654321", "Ana Souza"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def letter(value: bytes | None, *headers: tuple[str, bytes | None], key: bytes | None = b"ana") -> WholeLetter:
    line = LetterLine(
        "contact.created", 0, 1, 0, NOW, "acme", "ana", "invalid_data", "..", 9, LetterState.KEPT, None, None, None
    )
    return WholeLetter(line, key, value, headers)


def test_ids_choices_and_times_are_shown_and_what_is_about_a_person_is_not() -> None:
    data = {
        "companyId": "acme",
        "contactId": "ana",
        "name": NAME,
        "phone": PHONE,
        "tags": ["vip", 7],
        "direction": "up",
    }
    content = content_of(letter(json.dumps({"id": "1", "type": "contact.created", "data": data}).encode()))
    assert content.key == "ana"
    assert content.value == {
        "id": "1",
        "type": "contact.created",
        "data": {
            "companyId": "acme",
            "contactId": "ana",
            "name": "‹text of 9 characters›",
            "phone": "‹text of 14 characters›",
            "tags": ["‹text of 3 characters›", "‹number›"],
            "direction": "up",
        },
    }


@pytest.mark.parametrize(
    "value",
    [
        json.dumps(f"{NAME} {PHONE}").encode(),
        json.dumps({PHONE: 1, NAME: None}).encode(),
        json.dumps({"id": PHONE, "contactId": {"name": NAME}, "messageId": [PHONE], "type": NAME}).encode(),
        json.dumps({"amount": int(PHONE), "x": float(PHONE)}).encode(),
        f"{NAME};{PHONE}".encode(),
        f"{NAME};{PHONE}".encode("utf-16"),
    ],
)
def test_nothing_about_a_person_is_shown_wherever_it_stands(value: bytes) -> None:
    headers = ((NAME, PHONE.encode()), ("x-phone", PHONE.encode()), ("ce_subject", NAME.encode()), ("ce_id", None))
    shown = str(content_of(letter(value, *headers, key=PHONE.encode())))
    for secret in (PHONE, PHONE[1:], NAME, "Souza", "87654321"):
        assert secret not in shown


def test_all_of_it_is_shown_to_who_asks() -> None:
    content = content_of(letter(b"\xff", ("x", b"\xfe"), ("name", NAME.encode()), ("no", None), key=None), full=True)
    assert content.value == {"base64": "/w=="}
    assert content.headers == [("x", {"base64": "/g=="}), ("name", NAME), ("no", None)]
    assert content_of(letter(json.dumps({"phone": PHONE}).encode()), full=True).value == {"phone": PHONE}
    assert content_of(letter(PHONE.encode() + b"!"), full=True).value == PHONE + "!"
