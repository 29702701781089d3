"""Running due steps: claim, decide, save and log, in one short transaction."""

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cadence_engine.domain import gate as gate_rule
from cadence_engine.domain.advance import advance
from cadence_engine.domain.cadence import CadenceVersion
from cadence_engine.domain.decision import Decision
from cadence_engine.domain.enrollment import Enrollment, ParkReason, Status
from cadence_engine.domain.facts import Facts
from cadence_engine.domain.gate import Held
from cadence_engine.domain.park import park
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.apply import apply
from cadence_engine.storage import cadences, gate
from cadence_engine.storage.cadences import VersionKey
from cadence_engine.storage.connection import NOT_NOW
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.enrollments import claim
from cadence_engine.storage.enrollments.claim import Claimed
from cadence_engine.storage.enrollments.save import StaleDecisionError

log = logging.getLogger(__name__)

NOT_OF_THE_ROW = (*NOT_NOW, StaleDecisionError)
"""What fails for every row alike, or passes by itself."""

JUST_WRITTEN = timedelta(seconds=3)
"""What is written as due at once may be committed when what is due later has been claimed."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One batch. `full`: there is probably more. `held`: why nothing was claimed; then everything else is 0.

    `halted_companies`: how many companies' steps were left out.

    `crowded`: what is logged waits for the relay, and what is decided now has to stand behind it. `reached`: up to then
    everything is claimed that nobody else holds; None where that is not known, as of a share of every company's.

    `due_at`: when each that was claimed was due, ascending; `decided_at`: when they were decided.

    `traceparents`: the trace contexts of what began them, of those that somebody traces.
    """

    claimed: int = 0
    sent: int = 0
    completed: int = 0
    parked: int = 0
    held: Held | None = None
    full: bool = False
    crowded: bool = False
    reached: datetime | None = None
    halted_companies: int = 0
    due_at: Sequence[datetime] = ()
    decided_at: datetime | None = None
    traceparents: Sequence[str] = ()


async def run_due_steps(
    unit: UnitOfWork,
    policy: Policy,
    *,
    due_since: datetime | None = None,
    fairly: bool = False,
) -> Ran:
    """Run a batch of what is due, since then if given, longest due first; other workers take other rows.

    `fairly`: a share of every company's, amid a backlog; there is then more, whatever was claimed.
    Raises what the database raises; a row that was claimed alone and cannot be written is parked instead.
    """
    reading = await gate.read_to_claim(unit.connection)
    until = gate_rule.decide(reading, policy)
    if isinstance(until, Held):
        return Ran(held=until)
    # What halted companies have due would be gone through by each claim that does not go company by company.
    by_company = fairly or reading.halted_companies > 0
    claimed = await claim.due(unit.connection, until, policy.claim_rows, since=due_since, fairly=by_company)
    crowded = reading.unpublished_for > policy.relay_easy_lag
    if not claimed:
        return Ran(
            full=fairly, crowded=crowded, reached=until - JUST_WRITTEN, halted_companies=reading.halted_companies
        )
    keys = {(e.company_id, e.cadence_id, e.version) for e, _ in claimed}
    versions = await cadences.versions(unit.connection, keys)
    decisions = list(_decide(claimed, versions, reading.now, policy))
    if policy.claim_rows == 1:
        decisions = [await _apply_alone(unit, claimed[0], decisions[0], reading.now)]
    else:
        await apply(unit, decisions)
    full = by_company or len(claimed) == policy.claim_rows
    return replace(
        _ran(decisions),
        full=full,
        crowded=crowded,
        reached=None if by_company else claimed[-1][0].next_run_at if full else until - JUST_WRITTEN,
        halted_companies=reading.halted_companies,
        due_at=[enrollment.next_run_at for enrollment, _ in claimed if enrollment.next_run_at is not None],
        decided_at=reading.now,
        traceparents=[enrollment.traceparent for enrollment, _ in claimed if enrollment.traceparent is not None],
    )


def _decide(
    claimed: Collection[Claimed], versions: dict[VersionKey, CadenceVersion], now: datetime, policy: Policy
) -> Iterator[Decision]:
    for enrollment, facts in claimed:
        try:
            version = versions[enrollment.company_id, enrollment.cadence_id, enrollment.version]
            yield advance(enrollment, version, facts, now, policy)
        except Exception as error:  # noqa: BLE001  # one row's failure must not stop the others; the row tells it
            yield _park_failed(enrollment, facts, "deciding", error, now)


async def _apply_alone(unit: UnitOfWork, claimed: Claimed, decision: Decision, now: datetime) -> Decision:
    """Apply it, or park the row: longest due, it would be claimed for ever, and hold up all behind it."""
    try:
        async with unit.connection.transaction():  # a savepoint: after a failure the row is still locked
            await apply(unit, [decision])
            await unit.flush()
    except NOT_OF_THE_ROW:
        raise
    except Exception as error:  # noqa: BLE001  # whatever else it is comes with the row
        unit.events.clear()
        unit.wake_at.clear()
        parked = _park_failed(*claimed, "writing", error, now)
        await apply(unit, [parked])
        return parked
    return decision


def _park_failed(enrollment: Enrollment, facts: Facts, doing: str, error: Exception, now: datetime) -> Decision:
    """To be called where the error was caught."""
    log.exception("step_failed", extra={"enrollment_id": str(enrollment.enrollment_id)})
    detail = f"{type(error).__name__} while {doing}: see step_failed in the log, then `cadence-engine unpark`"
    return park(enrollment, ParkReason.INTERNAL_ERROR, detail, facts, now)


def _ran(decisions: Collection[Decision]) -> Ran:
    statuses = [decision.enrollment.status for decision in decisions]
    return Ran(
        claimed=len(decisions),
        sent=sum(len(decision.events) > 1 for decision in decisions),
        completed=statuses.count(Status.COMPLETED),
        parked=statuses.count(Status.PARKED),
    )
