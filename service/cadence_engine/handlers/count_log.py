"""Counting what the log tells, for the funnels: afterwards, so that no step pays for it."""

from cadence_engine.domain.policy import Policy
from cadence_engine.storage import counts, gate
from cadence_engine.storage.database import UnitOfWork


async def count_log(unit: UnitOfWork, policy: Policy, batches: int) -> int:
    """Count up to so many published batches that nobody has counted; answers how many.

    None while the log waits for the relay: whoever asks for a funnel then adds more by themselves.
    """
    if (await gate.read(unit.connection)).unpublished_for > policy.relay_easy_lag:
        return 0
    return await counts.count(unit.connection, batches)
