"""A mark that Kafka dropped, told by the records that were committed with it.

Where the offsets topic has no leader while a transaction is ended, Kafka skips its marker as it skips others (see
`orphans`): the records are committed, the mark stays pending, and the one before is what Kafka answers.
"""

import structlog

from cadence_engine.bus.relay import ends
from cadence_engine.bus.relay.batches import LoggedBatch, digest, read
from cadence_engine.bus.relay.ends import Ends, Traces
from cadence_engine.bus.relay.mark import Mark
from cadence_engine.bus.relay.pace import RECORDS_AT_MOST
from cadence_engine.domain.events import UNPUBLISHED
from cadence_engine.settings import Settings
from cadence_engine.storage import relay as storage
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.relay import LoggedEvent

log = structlog.stdlib.get_logger("cadence_engine.relay")


async def true_mark(connection: Connection, settings: Settings, told: Mark | None, found: Ends) -> Mark | None:
    """The mark of the last transaction that readers see: the one that Kafka told, or its dropped successor.

    A mark without batches is an operator's decision (`resolve`), and stands as it is.
    """
    if told and not told.batch_ids:
        return told
    state = await storage.state(connection)
    known = told or Mark(0, "")
    if (known.number, known.digest) == (state.last_mark, state.last_digest):
        shown = await _unknown_to_database(connection, settings, found)
    elif known.number + 1 == state.last_mark:
        shown = await _known_to_database(connection, settings, found)
        if digest(known.digest, shown) != state.last_digest:
            return told
    else:
        return told
    if not shown:
        return told
    log.warning("relay_mark_dropped", told=known.number, batches=len(shown))
    return Mark(known.number + 1, digest(known.digest, shown), tuple(batch.batch_id for batch in shown))


async def _unknown_to_database(connection: Connection, settings: Settings, found: Ends) -> list[LoggedBatch]:
    """The unpublished batches whose every event readers see."""
    nearby = await read(connection, await storage.unpublished_at(connection, found.last.logged_at))
    if not any(found.last.hold(event) for batch in nearby for event in batch.events):
        return []  # as ever but after such a drop: what readers saw last is known to be published
    traces = found.behind | await ends.visible(settings, found, RECORDS_AT_MOST)
    batches = await read(connection, await storage.unpublished_at(connection, traces.logged_at))
    return [batch for batch in batches if _published(batch) and _shown(batch, traces)]


async def _known_to_database(connection: Connection, settings: Settings, found: Ends) -> list[LoggedBatch]:
    """The batches of the transaction that was written down last, as far as readers see their every event."""
    batches = await read(connection, await storage.last_published(connection))
    records = sum(len(batch.events) for batch in batches)
    traces = found.behind | await ends.visible(settings, found, records)
    return [batch for batch in batches if _shown(batch, traces)]


def _shown(batch: LoggedBatch, traces: Traces) -> bool:
    """What lies open behind the rest came with it, and lacks a marker too: it counts as seen."""
    return all(map(traces.hold, _published(batch)))


def _published(batch: LoggedBatch) -> list[LoggedEvent]:
    return [event for event in batch.events if event.type not in UNPUBLISHED]
