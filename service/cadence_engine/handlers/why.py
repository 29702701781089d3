"""Why, or why not: everything that is known of a contact or of one passage, and which rule holds or refuses it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cadence_engine.domain import gate as gate_rule
from cadence_engine.domain.cadence import CadenceVersion
from cadence_engine.domain.enroll import EnrollRequest
from cadence_engine.domain.enrollment import Enrollment
from cadence_engine.domain.events import Cause
from cadence_engine.domain.gate import GateReading, Held
from cadence_engine.domain.outlook import Outlook, SoFar, outlook
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.domain.policy import Policy
from cadence_engine.domain.waiting import WaitsFor, waits_for
from cadence_engine.handlers.situations import gather
from cadence_engine.storage import cadences, companies, contacts, gate, halts
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.enrollments import load
from cadence_engine.storage.halts import Halt
from cadence_engine.storage.letter_filter import LetterFilter
from cadence_engine.storage.reports import contacts as contact_reports
from cadence_engine.storage.reports import dead_letters, standing, timeline
from cadence_engine.storage.reports.contacts import KnownContact, Passage
from cadence_engine.storage.reports.dead_letters import Tally
from cadence_engine.storage.reports.standing import Standing
from cadence_engine.storage.reports.timeline import Place, TimelinePage

PASSAGES = 50
NOBODY = UUID(int=0)  # nothing is enrolled here


@dataclass(frozen=True, slots=True)
class Explained:
    """A passage and what it waits for; None where it has ended. `cadence` tells who holds it, if it is held."""

    passage: Passage
    waits_for: WaitsFor | None
    cadence: Standing


@dataclass(frozen=True, slots=True)
class Answer:
    """Of a contact, or of one enrollment: then `passages` is that one, and no cadence is looked at for `outlooks`.

    `passages`: the newest few, oldest first. `outlooks`: of each cadence that the contact is not in, but archived ones.
    """

    contact: KnownContact
    tags: Sequence[str]
    passages: Sequence[Explained]
    timeline: TimelinePage
    outlooks: Sequence[Outlook]
    gate: GateReading
    held: Held | None
    halts: Sequence[Halt]
    unread: Sequence[Tally]
    """How many records that name the contact are kept as dead letters, by topic and reason."""


async def why_contact(
    connection: Connection, company_id: str, contact_id: str, policy: Policy, *, before: Place | None, rows: int
) -> Answer | None:
    """None: the company has no such contact. To be called in one snapshot; nothing is locked or written."""
    contact = await contact_reports.known(connection, company_id, contact_id)
    if contact is None:
        return None
    found = await contact_reports.passages(connection, company_id, contact_id, PASSAGES)
    ids, since = await contact_reports.passage_ids(connection, company_id, contact_id)
    happened = await timeline.page(
        connection, company_id, ids, since=since, refused_contact=contact_id, before=before, rows=rows
    )
    standings = await standing.of_company(connection, company_id)
    reading = await gate.read(connection)
    entered = [each for each in standings.values() if each.status is not CadenceStatus.ARCHIVED]
    outlooks = await _outlooks(connection, contact, entered, reading.now, policy)
    return await _answer(connection, contact, found, happened, standings, reading, policy, outlooks)


async def why_enrollment(
    connection: Connection, company_id: str, enrollment_id: UUID, policy: Policy, *, before: Place | None, rows: int
) -> Answer | None:
    """None: the company has no such enrollment. To be called in one snapshot; nothing is locked or written."""
    enrollment = await load.one(connection, company_id, enrollment_id)
    contact = enrollment and await contact_reports.known(connection, company_id, enrollment.contact_id)
    if enrollment is None or contact is None:
        return None
    happened = await timeline.page(
        connection,
        company_id,
        [enrollment_id],
        since=enrollment.started_at,
        refused_contact=None,
        before=before,
        rows=rows,
    )
    standings = await standing.of_company(connection, company_id)
    reading = await gate.read(connection)
    return await _answer(connection, contact, [enrollment], happened, standings, reading, policy, ())


async def unread_about(connection: Connection, company_id: str, contact_id: str) -> Sequence[Tally]:
    """The kept dead letters that name a contact, also one of whom nothing else is known, by topic and reason."""
    return await dead_letters.tally(connection, LetterFilter(company_id, contact_id=contact_id))


async def _answer(
    connection: Connection,
    contact: KnownContact,
    enrollments: Sequence[Enrollment],
    happened: TimelinePage,
    standings: Mapping[UUID, Standing],
    reading: GateReading,
    policy: Policy,
    outlooks: Sequence[Outlook],
) -> Answer:
    decided = gate_rule.decide(reading, policy)
    halted = await halts.holding(connection, contact.company_id)
    explained = []
    for passage in await contact_reports.with_steps(connection, enrollments):
        cadence = standings[passage.enrollment.cadence_id]
        active = cadence.status is CadenceStatus.ACTIVE
        waiting = waits_for(
            passage.enrollment, cadence_active=active, halted=bool(halted), gate=decided, now=reading.now
        )
        explained.append(Explained(passage, waiting, cadence))
    tags = await contact_reports.tags(connection, contact.company_id, contact.contact_id)
    held = decided if isinstance(decided, Held) else None
    unread = await unread_about(connection, contact.company_id, contact.contact_id)
    return Answer(contact, tags, explained, happened, outlooks, reading, held, halted, unread)


async def _outlooks(
    connection: Connection, contact: KnownContact, standings: Sequence[Standing], now: datetime, policy: Policy
) -> list[Outlook]:
    """By the rules that decide when a trigger comes, as if each cadence's came now."""
    company_id, contact_id = contact.company_id, contact.contact_id
    versions = await cadences.versions(connection, {each.version_key for each in standings})
    current = {(company_id, each.cadence_id): (versions[each.version_key], each.status) for each in standings}
    requests = [_request(contact, versions[each.version_key], now) for each in standings]
    known = await contacts.read(connection, [(company_id, contact_id)])
    found = await gather(connection, requests, known, current)
    company = (await companies.load(connection, [company_id]))[company_id]
    refusals = await timeline.refusals(connection, company_id, contact_id)
    looked_at = [
        outlook(
            request,
            versions[each.version_key],
            found.situation(request, policy),
            company,
            made_at=each.made_at,
            refused=refusals.get(each.cadence_id),
            now=now,
            default_zone=policy.default_time_zone,
        )
        for each, request in zip(standings, requests, strict=True)
    ]
    return [each for each in looked_at if each.so_far is not SoFar.IN_IT]


def _request(contact: KnownContact, version: CadenceVersion, now: datetime) -> EnrollRequest:
    return EnrollRequest(
        company_id=contact.company_id,
        cadence_id=version.cadence_id,
        contact_id=contact.contact_id,
        trigger=version.definition.trigger.event,
        triggered_at=now,
        cause=Cause(actor="why"),
        enrollment_id=NOBODY,
    )
