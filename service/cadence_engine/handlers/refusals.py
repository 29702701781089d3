"""Entries of the log about enrollments that were not made: what answers "why not?", and is never published."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from uuid_utils.compat import uuid7

from cadence_engine.domain.cadence import CadenceVersion
from cadence_engine.domain.enroll import EnrollRequest, Refusal
from cadence_engine.domain.events import REFUSED, Cause, Event, wire_time

Differing = tuple[CadenceVersion, Sequence[str]]
"""A cadence whose trigger came with other data than its `where` asks for, and under which names."""


def refused(request: EnrollRequest, refusal: Refusal, version: CadenceVersion | None, at: datetime) -> Event:
    """A rule stands against a request."""
    about = {"cadenceId": str(request.cadence_id), "cadenceKey": version and version.definition.key}
    return _entry(request.company_id, request.contact_id, request.trigger, refusal, request.cause, at, about)


def no_such_cadence(company_id: str, contact_id: str, key: str, trigger: str, cause: Cause, at: datetime) -> Event:
    """A request names a cadence that its company has not."""
    about = {"cadenceId": None, "cadenceKey": key}
    return _entry(company_id, contact_id, trigger, Refusal.CADENCE_NOT_FOUND, cause, at, about)


def unmatched(
    company_id: str, contact_id: str, trigger: str, cause: Cause, differing: Sequence[Differing], at: datetime
) -> Event:
    """A trigger that these cadences do not wait for as it came: one entry, however many they are. Holds no values."""
    cadences = [
        {"cadenceId": str(cadence.cadence_id), "cadenceKey": cadence.definition.key, "fields": list(fields)}
        for cadence, fields in differing
    ]
    return _entry(company_id, contact_id, trigger, Refusal.WHERE, cause, at, {"cadences": cadences})


def _entry(
    company_id: str,
    contact_id: str,
    trigger: str,
    refusal: Refusal,
    cause: Cause,
    at: datetime,
    about: Mapping[str, Any],
) -> Event:
    return Event(
        type=REFUSED,
        event_id=uuid7(),
        company_id=company_id,
        contact_id=contact_id,
        enrollment_id=None,
        revision=None,
        data={
            "companyId": company_id,
            "contactId": contact_id,
            **about,
            "trigger": trigger,
            "reason": refusal.value,
            "at": wire_time(at),
            "cause": cause.wire(),
        },
    )
