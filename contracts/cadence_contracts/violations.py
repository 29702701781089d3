"""Says in a sentence what is wrong with data: where, and what is allowed, never what was there."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

_MAX_TOLD: Final = 3

_RULES: Final[Mapping[str, str]] = {
    "missing": "is missing, and required",
    "string_type": "must be a string",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "is not in the allowed form ({pattern})",
    "literal_error": "must be one of {expected}",
    "too_long": "must have at most {max_length} items",
    "int_type": "must be an integer",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le}",
    "greater_than_equal": "must be at least {ge}",
    "list_type": "must be an array",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "bool_type": "must be true or false",
    "extra_forbidden": "is not known here",
    "datetime_type": "must be an RFC 3339 time with its offset, such as 2026-03-01T12:00:00Z",
    "timezone_aware": "must be an RFC 3339 time with its offset, such as 2026-03-01T12:00:00Z",
    "value_error": "{error}",
}


def sentence(wrong: ValidationError, *, of: str = "data") -> str:
    """The first violations, each as `data.path rule`; `of`: what is wrong, if it is not an event's data."""
    places: dict[str, list[str]] = {}
    for error in wrong.errors(include_url=False, include_input=False):
        rules = places.setdefault(_path(of, error["loc"]), [])
        rule = _rule(error["type"], error["msg"], error.get("ctx", {}))
        if rule not in rules:
            rules.append(rule)
    told = [f"{path} {' or '.join(rules)}" for path, rules in list(places.items())[:_MAX_TOLD]]
    more = len(places) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more > 0 else "")


def _rule(kind: str, message: str, context: Mapping[str, Any]) -> str:
    if kind == "string_pattern_mismatch" and "u0000" in context["pattern"]:
        return "must not hold control characters"
    rule = _RULES.get(kind)
    return message[:1].lower() + message[1:] if rule is None else rule.format_map(context)


def _path(path: str, location: tuple[int | str, ...]) -> str:
    """The wire path; a union's branch names, which pydantic puts at its end, are left out."""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part.isidentifier() and part not in ("int", "float", "str", "bool"):
            path += f".{part}"
    return path
