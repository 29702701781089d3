"""The variables of a template, filled for one contact."""

import re
from collections.abc import Mapping

from cadence_engine.domain.cadence import Literally, Lookup, Scalar, Source, Template
from cadence_engine.domain.facts import Facts

CONTACT_NAME = "contactName"
MAX_VALUE = 1024
"""WhatsApp's bound on a template's body, in characters."""

# A template value may hold no newline, no tab and no run of four spaces (WhatsApp's rules).
_FOUR_SPACES = " " * 4
_SPACES = re.compile(" {4,}")

FIELDS: Mapping[Source, Mapping[str, str]] = {
    Source.CONTACT: {
        "contactId": "contact_id",
        "name": "name",
        "phone": "phone",
        "locale": "locale",
        "timeZone": "time_zone",
    },
    Source.COMPANY: {
        "companyId": "company_id",
        "name": "company_name",
        "locale": "company_locale",
        "timeZone": "company_time_zone",
    },
    Source.LEAD: {"leadId": "lead_id", "boardId": "board_id"},
}
"""What a definition may name per source, and where `Facts` has it. The context is free."""


MENDED_BY: Mapping[Source, str] = {
    Source.CONTACT: "send contact.updated with it",
    Source.COMPANY: "send company.updated with it",
    Source.LEAD: "send lead.created with it, or skip the step",
    Source.CONTEXT: "it came with neither the trigger nor the order to enroll; skip the step, or cancel",
}
"""What an operator can do about a value that is missing."""


class MissingVariable(Exception):  # noqa: N818  # it is a finding about the contact, not a fault of the program
    """A variable has no value and no fallback."""

    def __init__(self, variable: str, lookup: Lookup) -> None:
        super().__init__(
            f"variable {variable} needs {lookup.source}.{lookup.field}, and has no `else`: {MENDED_BY[lookup.source]}"
        )


def fill(template: Template, facts: Facts, context: Mapping[str, Scalar]) -> dict[str, str]:
    """Every declared variable with its value, and the contact's name where it is known.

    Raises MissingVariable for the first that has neither value nor fallback.
    """
    variables = {CONTACT_NAME: name} if (name := _clean(facts.name or "")) else {}
    for key, variable in template.variables.items():
        variables[key] = variable.text if isinstance(variable, Literally) else _look_up(key, variable, facts, context)
    return variables


def _look_up(name: str, lookup: Lookup, facts: Facts, context: Mapping[str, Scalar]) -> str:
    if lookup.source is Source.CONTEXT:
        value = context.get(lookup.field)
    else:
        value = getattr(facts, FIELDS[lookup.source][lookup.field])
    text = _clean(_text(value))
    if text:
        return text
    if lookup.fallback is None:
        raise MissingVariable(name, lookup)
    return lookup.fallback


def _text(value: Scalar) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _clean(text: str) -> str:
    if not text.isprintable():  # a line break, a tab or the like: rare, and then all white space becomes plain
        return " ".join(text.split())[:MAX_VALUE]
    return (_SPACES.sub(" ", text) if _FOUR_SPACES in text else text).strip()[:MAX_VALUE]
