"""Enrolling any number of contacts, a page of rows in a transaction, each with an answer of its own.

A row is known by its number under the idempotency key of the whole request: sent again, also after a crash between two
pages or behind the last, it gets the answer that it got, and nothing happens twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from cadence_contracts.enrolling import EnrollRow
from cadence_engine.domain import enroll as rule
from cadence_engine.domain.enroll import AlreadyEnrolled, Enrolled, Refusal
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.enroll import enroll
from cadence_engine.handlers.enroll_asked import Candidate, UnknownCadence, request_of
from cadence_engine.handlers.enroll_rows import AnyRow, Row, Unreadable
from cadence_engine.handlers.idempotency import KeyUsedForAnother
from cadence_engine.storage import cadences, enroll_answers, idempotency
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.digest import digest
from cadence_engine.storage.enroll_answers import Answer

ROWS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class EnrollMany:
    """A request for all its pages. The idempotency key is the caller's: 1 to 200 characters."""

    company_id: str
    cadence_key: str
    idempotency_key: str
    actor: str


class RowOutcome(StrEnum):
    CREATED = "created"
    ALREADY_ACTIVE = "already_active"
    REFUSED = "refused"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class RowResult:
    """`row` is the row's number. `reason` is a code, `detail` a sentence; both only of what was refused or invalid."""

    row: int
    contact_id: str | None
    outcome: RowOutcome
    enrollment_id: UUID | None = None
    reason: str | None = None
    detail: str | None = None


async def enroll_page(
    unit: UnitOfWork, request: EnrollMany, page: Sequence[AnyRow], policy: Policy
) -> list[RowResult] | UnknownCadence | KeyUsedForAnother:
    """Enroll what of the page has no answer yet; a result for each row, in their order.

    Pages of one key run one after the other; the same page twice, and at once, is applied once.
    """
    known = await cadences.keys_of(unit.connection, request.company_id)
    cadence_id = known.get(request.cadence_key)
    if cadence_id is None:
        return UnknownCadence(known)
    key = request.company_id, request.idempotency_key
    if not await idempotency.use(unit.connection, *key, f"enroll-many {cadence_id}"):
        return KeyUsedForAnother()
    rows = {row.number: row.content for row in page if isinstance(row, Row)}
    digests = {number: _digest(content) for number, content in rows.items()}
    kept = await enroll_answers.kept(unit.connection, *key, rows)
    new = {number: content for number, content in rows.items() if number not in kept}
    requests = [
        request_of(_candidate(content), request.company_id, cadence_id, actor=request.actor, now=unit.now)
        for content in new.values()
    ]
    outcomes = await enroll(unit, requests, policy)
    answers = {n: _answer(n, digests[n], outcome) for n, outcome in zip(new, outcomes, strict=True)}
    await enroll_answers.keep(unit.connection, *key, answers.values())
    answers |= kept
    return [
        RowResult(row.number, None, RowOutcome.INVALID, reason="unreadable", detail=row.why)
        if isinstance(row, Unreadable)
        else _result(row, digests[row.number], answers[row.number])
        for row in page
    ]


def _digest(content: EnrollRow) -> str:
    return digest([content.contact_id, content.lead_id, content.conversation_id, content.context])


def _candidate(content: EnrollRow) -> Candidate:
    return Candidate(content.contact_id, content.lead_id, content.conversation_id, content.context)


def _answer(number: int, digest: str, outcome: rule.Outcome) -> Answer:
    match outcome:
        case Enrolled(decision):
            return Answer(number, digest, RowOutcome.CREATED, decision.enrollment.enrollment_id, None)
        case AlreadyEnrolled(enrollment_id):
            return Answer(number, digest, RowOutcome.ALREADY_ACTIVE, enrollment_id, None)
        case rule.Refused(refusal):
            return Answer(number, digest, RowOutcome.REFUSED, None, refusal.value)


def _result(row: Row, digest: str, answer: Answer) -> RowResult:
    contact_id = row.content.contact_id
    if digest != answer.digest:
        return RowResult(
            row.number,
            contact_id,
            RowOutcome.INVALID,
            reason="idempotency_key_reused",
            detail="this row said something else when the key was first used: give what is new a new key",
        )
    return RowResult(
        row.number,
        contact_id,
        RowOutcome(answer.outcome),
        answer.enrollment_id,
        answer.refusal,
        answer.refusal and Refusal(answer.refusal).meaning,
    )
