"""Deleting the log when it is old: published and counted, whole days first, and their batches last."""

from dataclasses import dataclass
from datetime import date, datetime

from cadence_engine.domain.policy import Policy
from cadence_engine.domain.retention import keep_from
from cadence_engine.storage import log_kept, partitions
from cadence_engine.storage.database import UnitOfWork


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What one piece of work came to; `more`: there is more to delete at once.

    `busy`: the day could not be dropped now, as the log is in use. `waits_since`: something that was logged then is
    not published or not counted yet, and the log from then on is kept until it is.
    """

    day: date | None = None
    rows: int = 0
    more: bool = False
    busy: date | None = None
    waits_since: datetime | None = None


async def forget_log(unit: UnitOfWork, policy: Policy, rows: int) -> Forgotten:
    """Drop one day of the log that is too old or, when no day is left, delete up to `rows` of what went with them.

    Nothing is done while another process is at it. The transaction is to end at once: nobody reads the log meanwhile.
    """
    connection = unit.connection
    if not await partitions.lock(connection):
        return Forgotten()
    log = await log_kept.read(connection)
    undone = [at for at in (log.unpublished, log.uncounted) if at is not None]
    wanted = keep_from(log.now, policy.log_memory, [])
    before = keep_from(log.now, policy.log_memory, [*undone, *filter(None, [log.newest_transaction])])
    waits_since = min((at for at in undone if at < wanted), default=None)
    if log.oldest is not None and log.oldest < before:
        await log_kept.keep_from(connection, before)
    day = await partitions.oldest_before(connection, before)
    if day is not None:
        dropped = await partitions.drop(connection, day)
        return Forgotten(day, more=True) if dropped else Forgotten(busy=day, waits_since=waits_since)
    # Batches last: events whose batch is gone would look as if they had never been published.
    gone = await log_kept.forget_rows(connection, before, rows)
    if gone < rows:
        gone += await log_kept.forget_batches(connection, before, rows - gone)
    return Forgotten(rows=gone, more=gone == rows, waits_since=waits_since)
