"""Enrolling: any number of contacts in any of their companies' cadences, in one transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from cadence_engine.domain import enroll as rule
from cadence_engine.domain.contact import Contact, ContactKey
from cadence_engine.domain.enroll import AlreadyEnrolled, Enrolled, EnrollRequest, Outcome, Refused
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.refusals import refused
from cadence_engine.handlers.situations import Found, gather, passage_of
from cadence_engine.storage import cadences, contacts
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.enrollments import save


async def enroll(unit: UnitOfWork, requests: Sequence[EnrollRequest], policy: Policy) -> list[Outcome]:
    """Decide every request, in order, and write what came of it; one outcome per request.

    Race-proof: contacts and cadences are locked before anything about them is read.
    """
    locked = await contacts.lock(unit.connection, {request.contact_key for request in requests})
    return await enroll_locked(unit, requests, locked, policy)


async def enroll_locked(
    unit: UnitOfWork,
    requests: Sequence[EnrollRequest],
    locked: Mapping[ContactKey, Contact],
    policy: Policy,
    *,
    newcomers: Collection[ContactKey] = (),
    at_most: int | None = None,
    log_refusals: bool = True,
) -> list[Outcome]:
    """The same for those who have locked the contacts. `at_most`: stop after that many new enrollments.

    `newcomers`: contacts that this transaction has added, so that nothing of theirs can be there.
    """
    if not requests:
        return []
    wanted = {(request.company_id, request.cadence_id) for request in requests}
    found = await gather(
        unit.connection, requests, locked, await cadences.current(unit.connection, wanted), newcomers=newcomers
    )
    outcomes: list[Outcome] = []
    started = 0
    for request in requests:
        if at_most is not None and started >= at_most:
            break
        outcome = rule.decide(request, found.situation(request, policy), unit.now)
        if isinstance(outcome, Enrolled):
            started += 1
            found.live[passage_of(request)] = request.enrollment_id
        outcomes.append(outcome)
    await _apply(unit, requests, outcomes, found, log_refusals=log_refusals)
    return outcomes


async def _apply(
    unit: UnitOfWork,
    requests: Iterable[EnrollRequest],
    outcomes: Iterable[Outcome],
    found: Found,
    *,
    log_refusals: bool,
) -> None:
    started = []
    for request, outcome in zip(requests, outcomes, strict=False):
        match outcome:
            case Enrolled(decision):
                started.append(decision.enrollment)
                unit.log(*decision.events)
                if decision.enrollment.next_run_at is not None:
                    unit.wake(decision.enrollment.next_run_at)
            case Refused() if log_refusals:
                version, _ = found.cadences.get((request.company_id, request.cadence_id), (None, None))
                unit.log(refused(request, outcome.refusal, version, unit.now))
            case AlreadyEnrolled() | Refused():
                pass
    await save.insert(unit.connection, started)
