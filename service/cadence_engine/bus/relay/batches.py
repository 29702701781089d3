"""The log, batch by batch: what goes into the next transaction, and the digest of what went into one."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from cadence_engine.bus.relay import pace
from cadence_engine.bus.relay.mark import chain
from cadence_engine.bus.relay.records import letter_ids
from cadence_engine.storage import relay as storage
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.relay import Letter, LetterId, LoggedEvent


class LoggedBatch(NamedTuple):
    """A batch with its events in order."""

    batch_id: int
    events: Sequence[LoggedEvent]


class Portion(NamedTuple):
    """What one transaction publishes: whole batches, and the dead letters that their events refer to."""

    batches: Sequence[LoggedBatch]
    letters: Mapping[LetterId, Letter]

    @property
    def batch_ids(self) -> tuple[int, ...]:
        return tuple(batch.batch_id for batch in self.batches)

    @property
    def events(self) -> Iterable[LoggedEvent]:
        return (event for batch in self.batches for event in batch.events)


async def lock_next(connection: Connection, at_most: int) -> Portion:
    """Lock the first unpublished batches, as many as fit one transaction, and read them; empty when there are none."""
    waiting = await storage.lock_unpublished(connection, at_most)
    if not waiting:
        return Portion((), {})
    taken = pace.portion([batch.batch_id for batch in waiting], [batch.events for batch in waiting])
    # Read in a statement after the one that locks: so a rewrite that was under way is seen.
    batches = await read(connection, [(batch.batch_id, batch.logged_at) for batch in waiting[:taken]])
    batches = batches[: pace.within(await _sizes(connection, batches), pace.BYTES_AT_MOST)]
    wanted = letter_ids(event for batch in batches for event in batch.events)
    return Portion(batches, await storage.letters(connection, wanted) if wanted else {})


async def read(connection: Connection, batches: Sequence[tuple[int, datetime]]) -> list[LoggedBatch]:
    """These batches, each given by its id and time."""
    rows = await storage.events_of(connection, batches)
    events = {batch_id: list(group) for batch_id, group in groupby(rows, key=lambda row: row.batch_id)}
    return [LoggedBatch(batch_id, events.get(batch_id, [])) for batch_id, _ in batches]


def digest(last: str, batches: Iterable[LoggedBatch]) -> str:
    """The digest after publishing these batches, `last` being the one before."""
    return chain(last, ((batch.batch_id, [event.event_id for event in batch.events]) for batch in batches))


async def _sizes(connection: Connection, batches: Sequence[LoggedBatch]) -> list[int]:
    wanted = letter_ids(event for batch in batches for event in batch.events)
    letters = await storage.letter_bytes(connection, wanted) if wanted else {}
    return [
        sum(len(event.data) for event in batch.events) + sum(letters.get(each, 0) for each in letter_ids(batch.events))
        for batch in batches
    ]
