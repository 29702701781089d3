"""Dead letters on the stage: records that an older program did not understand, or that nobody can."""

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from aiokafka import ConsumerRecord

from cadence_engine.bus.parse import Reading, read_one
from cadence_engine.bus.reread import reader
from cadence_engine.handlers.page import PageCounts, apply_page
from cadence_engine.handlers.received import DeadLetter, Page
from cadence_engine.handlers.replay import Read, Settled, drop, replay
from cadence_engine.settings import Settings
from cadence_engine.storage.database import UnitOfWork, run
from cadence_engine.storage.letter_filter import LetterFilter
from cadence_engine.storage.settling_letters import BEGINNING
from tests.handlers.conftest import ACME, Stage

OFFSETS = itertools.count()
SETTINGS = Settings(DATABASE_URL="postgresql://nowhere/none", trigger_topics=("cart.abandoned",))


def a_record(topic: str, *, id_: str | None = None, **data: Any) -> bytes:
    """An event as its producer wrote it."""
    offset = next(OFFSETS)
    event = {"specversion": "1.0", "id": id_ or f"e-{offset}", "source": "/crm", "type": topic}
    return json.dumps(event | {"data": {"companyId": ACME, **data}}).encode()


def found(topic: str, value: bytes | None, at: datetime, **more: Any) -> DeadLetter:
    """The letter that such a record makes; one that is understood is taken for one that an older program did not."""
    milliseconds = int(at.timestamp() * 1000)
    size = len(value or b"")
    record: Any = ConsumerRecord(topic, 0, next(OFFSETS), milliseconds, 1, b"key", value, None, 3, size, ())
    reading = Reading(topic, at, timedelta(days=SETTINGS.inbox_days))
    outcome = read_one(record, reading)
    if isinstance(outcome, DeadLetter):
        return replace(outcome, **more)
    letter = DeadLetter(topic, 0, record.offset, milliseconds, b"key", value, (), "invalid_data", "not understood then")
    event: Any = outcome.event
    owner = {"company_id": event.company_id, "contact_id": getattr(event, "contact_id", None)}
    return replace(letter, **{**owner, **more})


async def bury(stage: Stage, *letters: DeadLetter, publish: bool = True) -> PageCounts:
    """As a page with these dead letters does; and the relay has published them."""
    page = Page((), (), letters)
    counts, _ = await run(stage.pool, lambda unit: apply_page(unit, page, stage.policy))
    if publish:
        await stage.pool.execute("UPDATE event_batches SET published_at = now()")
    return counts


async def replayed(
    stage: Stage,
    topic: str,
    chosen: LetterFilter | None = None,
    *,
    at_most: int = 500,
    read: Read | None = None,
    between: Callable[[], None] = lambda: None,
) -> Settled:
    """All that fit, in batches."""
    done, after = Settled(), BEGINNING
    while True:

        async def work(unit: UnitOfWork, after: Any = after) -> Settled:
            settled = await replay(
                unit,
                chosen or LetterFilter(ACME),
                topic,
                actor="olga",
                reason="mended",
                read=read or reader(SETTINGS, stage.policy),
                policy=stage.policy,
                after=after,
                at_most=at_most,
            )
            between()
            return settled

        one, _ = await run(stage.pool, work)
        done = Settled(
            done.applied + one.applied,
            done.seen + one.seen,
            still_dead=done.still_dead + one.still_dead,
            unpublished=done.unpublished + one.unpublished,
        )
        if one.after is None:
            return done
        after = one.after


async def dropped(stage: Stage, topic: str, chosen: LetterFilter | None = None) -> Settled:
    """All that fit, in one batch."""
    settled, _ = await run(
        stage.pool,
        lambda unit: drop(unit, chosen or LetterFilter(ACME), topic, actor="olga", reason="a test of the CRM"),
    )
    return settled
