"""A cadence's definition: trigger, ordered steps with waits, and the rules of entry and exit."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Literal
from uuid import UUID

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Wait:
    """Whole local days first, then elapsed time (`exact`, zero or more)."""

    days: int = 0
    exact: timedelta = timedelta()


class Source(StrEnum):
    """Where a template variable's value comes from."""

    CONTACT = "contact"
    CONTEXT = "context"
    LEAD = "lead"
    COMPANY = "company"


@dataclass(frozen=True, slots=True)
class Literally:
    """A variable with the same text for everybody."""

    text: str
    kind: Literal["literal"] = "literal"


@dataclass(frozen=True, slots=True)
class Lookup:
    """A variable read from `source`; without a value there, `fallback`; without that, the enrollment parks."""

    source: Source
    field: str
    fallback: str | None = None
    kind: Literal["lookup"] = "lookup"


Variable = Literally | Lookup


@dataclass(frozen=True, slots=True)
class Template:
    id: str
    category: str
    variables: Mapping[str, Variable]


@dataclass(frozen=True, slots=True)
class Step:
    """`key` is the step's identity within its cadence, across versions; `wait` runs from the previous step."""

    key: str
    wait: Wait
    template: Template


@dataclass(frozen=True, slots=True)
class Trigger:
    """The kind of event that enrolls.

    `where`: the event's data must hold one of the listed scalars under each name. `after`: only for inactivity, how
    long the silence must be; None takes the company's own days.
    """

    event: str
    where: Mapping[str, tuple[Scalar, ...]]
    after: Wait | None = None


class ReentryRule(StrEnum):
    NEVER = "never"
    ALWAYS = "always"
    NEW_ACTIVITY = "newActivity"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Reentry:
    """When a contact may pass again; `after`, set only with that rule, counts from the end of the last passage."""

    rule: ReentryRule
    after: Wait | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """What a team writes: everything about a cadence but its owner and its version number."""

    key: str
    name: str
    trigger: Trigger
    reentry: Reentry
    cancel_on_reply: bool
    reply_grace: timedelta
    send_within: timedelta
    language: str | None
    steps: tuple[Step, ...]
    completion_tags: tuple[str, ...]


INACTIVITY = "inactivity"
API = "api"
UNRECORDED = frozenset({INACTIVITY, API})
"""Triggers that are no records: what is known of the contact decides alone."""


@dataclass(frozen=True, slots=True)
class CadenceVersion:
    """An immutable published definition of one company's cadence."""

    company_id: str
    cadence_id: UUID
    version: int
    definition: Definition

    def step_at(self, index: int) -> Step | None:
        """The step at a position, or None behind the last."""
        steps = self.definition.steps
        return steps[index] if index < len(steps) else None
