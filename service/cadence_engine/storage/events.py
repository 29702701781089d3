"""The log: appended to as the last statement of a transaction, read by the relay and by reports."""

from collections.abc import Sequence

from cadence_engine.domain.events import Event
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.origin import TRACEPARENT

EVENTS_PER_BATCH = 2000

# The id is drawn after all locks are held: for one enrollment, batch order is then commit order.
BATCH = "INSERT INTO event_batches (traceparent) VALUES ($1) RETURNING logged_at, batch_id"
COLUMNS = ("logged_at", "batch_id", "position", *Event._fields)


async def append(connection: Connection, events: Sequence[Event]) -> None:
    """Write `events` in their order, in batches that the relay can publish whole.

    By COPY, which writes a page of rows at a time: half the cost of INSERT (measured).
    """
    for chunk in _chunks(events):
        logged_at, batch_id = await connection.fetchrow(BATCH, TRACEPARENT.get())  # type: ignore[misc]  # RETURNING gives its row
        rows = ((logged_at, batch_id, position, *event) for position, event in enumerate(chunk))
        await connection.copy_records_to_table("cadence_events", columns=COLUMNS, records=rows)


def _chunks(events: Sequence[Event]) -> Sequence[Sequence[Event]]:
    return [events[start : start + EVENTS_PER_BATCH] for start in range(0, len(events), EVENTS_PER_BATCH)]
