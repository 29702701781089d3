"""Housekeeping, each duty a loop of its own so that the failure of one does not stop the others."""

from datetime import datetime, timedelta

import structlog

from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.cadence_status import move_unsettled
from cadence_engine.handlers.count_log import count_log
from cadence_engine.handlers.erase_company import erase_next
from cadence_engine.handlers.forget_log import forget_log
from cadence_engine.handlers.idempotency import REMEMBERED
from cadence_engine.handlers.operate import resume_whose_time_has_come
from cadence_engine.handlers.unpark import recheck_parked
from cadence_engine.scheduling.sweep import Wake
from cadence_engine.storage import database, detector, idempotency, inbox, partitions, settling_letters
from cadence_engine.storage.cadences import Cadence
from cadence_engine.storage.connection import Pool
from cadence_engine.storage.database import UnitOfWork

log = structlog.stdlib.get_logger("cadence_engine.upkeep")

ROWS_AT_ONCE = 1000
RACED_LATELY = timedelta(hours=1)
BATCHES_AT_ONCE = 20  # of the log, up to 2,000 events each
NOTHING_MOVING = (None, None)


class Upkeep:
    """Each method is one bounded piece of work, and answers whether there is more of it now."""

    def __init__(self, pool: Pool, policy: Policy, wake: Wake) -> None:
        self._pool = pool
        self._policy = policy
        self._wake = wake
        self._moving: tuple[Cadence | None, str | None] = NOTHING_MOVING
        self._free_from: datetime | None = None

    async def recheck_parked(self) -> bool:
        """Parked enrollments whose facts changed by a race that nobody saw."""
        unparked, wake_at = await database.run(self._pool, recheck_parked)
        await self._wake(wake_at)
        if unparked:
            log.info("parked_rechecked", enrollments=unparked)
        return bool(unparked)

    async def settle_cadences(self) -> bool:
        """Live rows of a cadence that was paused or resumed, when its operator's command did not end."""
        cadence, after = self._moving
        moved, wake_at = await database.run(
            self._pool, lambda unit: move_unsettled(unit, ROWS_AT_ONCE, cadence=cadence, after=after)
        )
        await self._wake(wake_at)
        self._moving = (moved.cadence, moved.after) if moved and moved.after else NOTHING_MOVING
        return moved is not None

    async def resume_paused(self) -> bool:
        """Paused enrollments that are to go on by themselves now."""
        went_on, wake_at = await database.run(
            self._pool, lambda unit: resume_whose_time_has_come(unit, self._policy, ROWS_AT_ONCE, self._free_from)
        )
        await self._wake(wake_at)
        self._free_from = went_on.free_from
        if went_on.rows:
            log.info("enrollments_resumed", enrollments=went_on.rows)
        return went_on.rows == ROWS_AT_ONCE

    async def forget_inbox(self) -> bool:
        """Ids of records older than the topics keep them."""
        forgotten, _ = await database.run(
            self._pool, lambda unit: inbox.forget(unit.connection, self._policy.inbox_memory, ROWS_AT_ONCE)
        )
        return forgotten == ROWS_AT_ONCE

    async def forget_answers(self) -> bool:
        """What was answered under an idempotency key that was not used for some days."""
        forgotten, _ = await database.run(
            self._pool, lambda unit: idempotency.forget(unit.connection, REMEMBERED, ROWS_AT_ONCE)
        )
        return forgotten > 0

    async def forget_letters(self) -> bool:
        """Dead letters that are old; and those of the deleted that were found just while they were being erased."""

        async def work(unit: UnitOfWork) -> int:
            named = await settling_letters.lately_naming(unit.connection, RACED_LATELY)
            await settling_letters.drop_erased(unit.connection, named)
            return await settling_letters.forget(unit.connection, self._policy.letter_memory, ROWS_AT_ONCE)

        forgotten, _ = await database.run(self._pool, work)
        return forgotten == ROWS_AT_ONCE

    async def count_log(self) -> bool:
        """What the funnels are made of. Not beside a backlog, which needs the machine more: nothing is missed."""
        counted, _ = await database.run(self._pool, lambda unit: count_log(unit, self._policy, BATCHES_AT_ONCE))
        return counted == BATCHES_AT_ONCE

    async def erase_companies(self) -> bool:
        """Contacts of companies that were deleted."""
        erased, wake_at = await database.run(self._pool, lambda unit: erase_next(unit, ROWS_AT_ONCE))
        await self._wake(wake_at)
        if erased is not None and erased.finished:
            log.info("company_erased", company_id=erased.company_id)
        return erased is not None

    async def make_partitions(self) -> bool:
        """Days of the log to come."""
        made, _ = await database.run(self._pool, lambda unit: partitions.make_ahead(unit.connection))
        if made:
            log.info("partitions_made", first=made[0].isoformat(), last=made[-1].isoformat())
        return False

    async def forget_log(self) -> bool:
        """The log, a day after the other, when it is older than it is kept."""
        forgotten, _ = await database.run(self._pool, lambda unit: forget_log(unit, self._policy, ROWS_AT_ONCE))
        if forgotten.day:
            log.info("log_day_dropped", day=forgotten.day.isoformat())
        if forgotten.busy:
            log.info("log_day_busy", day=forgotten.busy.isoformat(), hint="tried again in the next round")
        if forgotten.waits_since:
            log.warning(
                "log_kept_longer",
                since=forgotten.waits_since.isoformat(),
                hint="what was logged then is not published or not counted yet: do relay and workers run?",
            )
        return forgotten.more

    async def forget_runs(self) -> bool:
        """What the detector did on days that the log does not tell of any more."""
        forgotten, _ = await database.run(
            self._pool, lambda unit: detector.forget(unit.connection, self._policy.log_memory, ROWS_AT_ONCE)
        )
        return forgotten == ROWS_AT_ONCE
