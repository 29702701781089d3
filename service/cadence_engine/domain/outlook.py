"""Why a contact is not in a cadence: what came of the cadence's trigger so far, and what would come of it now."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cadence_engine.domain import schedule
from cadence_engine.domain.cadence import INACTIVITY, CadenceVersion, Wait
from cadence_engine.domain.company import Company
from cadence_engine.domain.contact import Contact
from cadence_engine.domain.enroll import EnrollRequest, Refused, Situation, decide
from cadence_engine.domain.inactivity import silent_since, today


class SoFar(StrEnum):
    """What has come of the cadence and the contact."""

    IN_IT = "in_it"
    WAS_IN_IT = "was_in_it"
    REFUSED = "refused"
    NEVER_TRIGGERED = "never_triggered"


class Silence(StrEnum):
    """Why the detector does not take a contact now, before any other rule."""

    NO_MESSAGE = "no_message"
    TOO_SHORT = "silence_too_short"


@dataclass(frozen=True, slots=True)
class PastRefusal:
    """The newest refusal of the contact by one cadence. `fields`: where the trigger's data differed from `where`."""

    at: datetime
    trigger: str
    reason: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outlook:
    """Of one contact and one cadence. `now`: the rule that stands against it if its trigger came now; None: nothing.

    `inactive_from`: when the contact's present silence is long enough, where silence is the trigger. `made_at`: when
    the cadence was made; nothing of a trigger before is known.
    """

    cadence_key: str
    version: int
    trigger: str
    active: bool
    made_at: datetime
    so_far: SoFar
    refused: PastRefusal | None
    now: str | None
    inactive_from: datetime | None = None


def outlook(
    request: EnrollRequest,
    version: CadenceVersion,
    found: Situation,
    company: Company,
    *,
    made_at: datetime,
    refused: PastRefusal | None,
    now: datetime,
    default_zone: str,
) -> Outlook:
    """By the rules that decide when a trigger comes: `request` is what the cadence's own would be, came it `now`."""
    trigger = version.definition.trigger
    outcome = decide(request, found, now)
    silence, inactive_from = None, None
    if trigger.event == INACTIVITY and found.contact is not None:
        silence = _too_lively(version, found.contact, company, now, default_zone)
        inactive_from = _inactive_from(version, found.contact, company, default_zone)
    return Outlook(
        cadence_key=version.definition.key,
        version=version.version,
        trigger=trigger.event,
        active=found.active,
        made_at=made_at,
        so_far=_so_far(found, refused),
        refused=refused,
        now=outcome.refusal.value if isinstance(outcome, Refused) else silence,
        inactive_from=inactive_from,
    )


def _so_far(found: Situation, refused: PastRefusal | None) -> SoFar:
    if found.live_id is not None:
        return SoFar.IN_IT
    if found.last is not None and (refused is None or refused.at < found.last.started_at):
        return SoFar.WAS_IN_IT
    return SoFar.NEVER_TRIGGERED if refused is None else SoFar.REFUSED


def _too_lively(
    version: CadenceVersion, contact: Contact, company: Company, now: datetime, default_zone: str
) -> Silence | None:
    if contact.last_message_at is None:
        return Silence.NO_MESSAGE
    since = silent_since(version, company, today(company, now, default_zone), default_zone)
    return None if contact.last_message_at <= since else Silence.TOO_SHORT


def _inactive_from(version: CadenceVersion, contact: Contact, company: Company, default_zone: str) -> datetime | None:
    if contact.last_message_at is None:
        return None
    silence = version.definition.trigger.after or Wait(days=company.inactive_days)
    return schedule.after(contact.last_message_at, silence, schedule.zone_of(company.time_zone.value, default_zone))
