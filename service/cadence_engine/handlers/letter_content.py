"""A dead letter's record for people's eyes: decoded as far as possible, personal data masked unless asked for."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import from_json

from cadence_contracts.envelope import ATTRIBUTE_PREFIX, CONTENT_TYPE, MAX_ATTRIBUTE_LENGTH
from cadence_contracts.fields import is_phone
from cadence_engine.domain.masking import field_name
from cadence_engine.storage.reports.dead_letters import WholeLetter

ATTRIBUTES: Final = frozenset({"specversion", "id", "source", "type", "time", "datacontenttype"})
PLAIN: Final = ATTRIBUTES | {
    "companyId",
    "contactId",
    "conversationId",
    "messageId",
    "leadId",
    "boardId",
    "purchaseId",
    "direction",
    "marketing",
    "createdAt",
    "receivedAt",
}
"""Ids, choices and times: what says which record it is, and nothing about a person."""

MOST_ITEMS: Final = 20


@dataclass(frozen=True, slots=True)
class LetterContent:
    """Key, headers and value as JSON can tell them; what is masked says what kind of thing it was."""

    key: Any
    headers: Sequence[tuple[str, Any]]
    value: Any


def content_of(letter: WholeLetter, *, full: bool = False) -> LetterContent:
    """What the record holds; `full` shows all of it, for whoever may see personal data."""
    if full:
        headers = [(name, _whole(value)) for name, value in letter.headers]
        return LetterContent(_whole(letter.key), headers, _json(letter.value, _whole(letter.value)))
    ids = {id_.encode() for id_ in (letter.line.contact_id, letter.line.company_id) if id_ is not None}
    return LetterContent(
        key=_whole(letter.key) if letter.key in ids else _masked(_text(letter.key)),
        headers=[(field_name(name), _header(name, value)) for name, value in letter.headers],
        value=_mask(_json(letter.value, letter.value)),
    )


def _json(value: bytes | None, otherwise: Any) -> Any:
    try:
        return from_json(value or b"")
    except ValueError:
        return otherwise


def _text(value: bytes | None) -> str | bytes | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return value


def _whole(value: bytes | None) -> Any:
    text = _text(value)
    return {"base64": base64.b64encode(text).decode()} if isinstance(text, bytes) else text


def _header(name: str, value: bytes | None) -> Any:
    known = name.lower() == CONTENT_TYPE or name.lower().removeprefix(ATTRIBUTE_PREFIX) in ATTRIBUTES
    return _shown(_text(value)) if known else _masked(_text(value))


def _mask(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {
            field_name(name): _shown(inner) if name in PLAIN else _mask(inner)
            for name, inner in list(content.items())[:MOST_ITEMS]
        }
    if isinstance(content, list):
        return [_mask(item) for item in content[:MOST_ITEMS]]
    return _masked(content)


def _shown(value: Any) -> Any:
    # No id, type or time has a space; what somebody is called mostly has.
    fits = isinstance(value, str) and len(value) <= MAX_ATTRIBUTE_LENGTH and value.isprintable() and " " not in value
    return value if fits and not is_phone(value) else _mask(value)


def _masked(value: Any) -> Any:
    match value:
        case None | bool():
            return value
        case str():
            return f"‹text of {len(value)} characters›"
        case bytes():
            return f"‹{len(value)} bytes that are no JSON›"
        case int() | float():
            return "‹number›"
    return f"‹{type(value).__name__}›"
