"""The log: appended to as the last statement of a transaction, read by the relay and by reports."""

from collections.abc import Sequence

import orjson

from cadence_engine.domain.events import Event
from cadence_engine.storage.connection import Connection

EVENTS_PER_BATCH = 2000

# The id is drawn after all locks are held: for one enrollment, batch order is then commit order.
APPEND = """
WITH batch AS (INSERT INTO event_batches DEFAULT VALUES RETURNING batch_id, logged_at)
INSERT INTO cadence_events
    (logged_at, batch_id, position, type, event_id, company_id, contact_id, enrollment_id, revision, data)
SELECT batch.logged_at, batch.batch_id, event.*
FROM batch, unnest(
    $1::int[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::uuid[], $7::int[], $8::text[]::jsonb[]
) AS event
"""


async def append(connection: Connection, events: Sequence[Event]) -> None:
    """Write `events` in their order, in batches that the relay can publish whole."""
    for chunk in _chunks(events):
        await connection.execute(
            APPEND,
            range(len(chunk)),
            [event.type for event in chunk],
            [event.event_id for event in chunk],
            [event.company_id for event in chunk],
            [event.contact_id for event in chunk],
            [event.enrollment_id for event in chunk],
            [event.revision for event in chunk],
            [orjson.dumps(event.data).decode() for event in chunk],
        )


def _chunks(events: Sequence[Event]) -> Sequence[Sequence[Event]]:
    return [events[start : start + EVENTS_PER_BATCH] for start in range(0, len(events), EVENTS_PER_BATCH)]
