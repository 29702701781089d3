"""Enrolling the silent: once per company and local day, whatever the number of workers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from uuid_utils.compat import uuid7

from cadence_engine.domain.cadence import INACTIVITY, CadenceVersion
from cadence_engine.domain.contact import Contact
from cadence_engine.domain.enroll import Enrolled, EnrollRequest
from cadence_engine.domain.events import DETECTOR
from cadence_engine.domain.inactivity import DetectorDay, silent_since, today
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.enroll import enroll_locked
from cadence_engine.storage import companies, contacts, detector, gate
from cadence_engine.storage.database import UnitOfWork

PAGE = 2000
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Detected:
    """One page of a company's run. `finished`: nothing more to do here; `elsewhere`: another worker did, or does."""

    enrolled: int
    finished: bool
    elsewhere: bool = False


async def companies_due(unit: UnitOfWork, policy: Policy) -> Sequence[str]:
    """Companies whose detector hour has come today, is behind the watermark, and whose run is not finished."""
    reading = await gate.read(unit.connection)
    return [
        company.company_id
        for company, last_finished in await detector.companies_with_detector(unit.connection)
        if _is_due(today(company, reading.now, policy.default_time_zone), reading.watermark, last_finished)
    ]


def _is_due(day: DetectorDay, watermark: datetime, last_finished: date | None) -> bool:
    # Everything that the contacts wrote before the hour must be applied: the watermark is never ahead of the clock.
    # Not before the newest run either: a company that moves west does not have its day twice.
    return day.run_at <= watermark and (last_finished is None or last_finished < day.local_date)


async def detect_page(unit: UnitOfWork, company_id: str, policy: Policy) -> Detected:
    """Enroll the next page of the company's silent contacts, the longest silent first.

    Finished at once where another worker is at it, or the day's limit is reached.
    """
    company = (await companies.load(unit.connection, [company_id]))[company_id]
    day = today(company, unit.now, policy.default_time_zone)
    run = await detector.take(unit.connection, company_id, day.local_date)
    if run is None:
        return Detected(enrolled=0, finished=True, elsewhere=True)
    room = None if company.inactivity_limit is None else max(company.inactivity_limit - run.enrolled, 0)
    cadences = await detector.inactivity_cadences(unit.connection, company_id)
    since = {cadence.cadence_id: silent_since(cadence, company, day, policy.default_time_zone) for cadence in cadences}
    page = await detector.silent(unit.connection, company_id, max(since.values(), default=NEVER), run.after, PAGE)
    locked = await contacts.lock(unit.connection, {(company_id, contact_id) for _, contact_id in page})
    requests = [
        _request(contact, cadence, day)
        for _, contact_id in page
        if (contact := locked.get((company_id, contact_id))) and contact.last_message_at is not None
        for cadence in cadences
        if contact.last_message_at <= since[cadence.cadence_id]
    ]
    outcomes = await enroll_locked(unit, requests, locked, policy, at_most=room, log_refusals=False)
    enrolled = sum(isinstance(outcome, Enrolled) for outcome in outcomes)
    finished = len(page) < PAGE or enrolled == room
    await detector.advance(
        unit.connection,
        company_id,
        day.local_date,
        enrolled=enrolled,
        after=page[-1] if page else None,
        finished=finished,
    )
    return Detected(enrolled, finished)


def _request(contact: Contact, cadence: CadenceVersion, day: DetectorDay) -> EnrollRequest:
    return EnrollRequest(
        company_id=contact.company_id,
        cadence_id=cadence.cadence_id,
        contact_id=contact.contact_id,
        trigger=INACTIVITY,
        triggered_at=day.run_at,
        cause=DETECTOR,
        enrollment_id=uuid7(),
    )
