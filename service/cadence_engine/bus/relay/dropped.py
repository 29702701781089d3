"""A mark that Kafka dropped, told by the records that were committed with it.

Where the offsets topic has no leader while a transaction is ended, Kafka skips its marker as it skips others (see
`orphans`): the records are committed, the mark stays pending, and the one before is what Kafka answers.
"""

from collections.abc import Sequence

import structlog

from cadence_engine.bus.relay import ends
from cadence_engine.bus.relay.batches import LoggedBatch, digest, read
from cadence_engine.bus.relay.ends import Ends
from cadence_engine.bus.relay.mark import Mark
from cadence_engine.settings import Settings
from cadence_engine.storage import relay as storage
from cadence_engine.storage.connection import Connection

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
        candidates = await read(connection, await storage.unpublished_at(connection, found.last_seen))
        shown = await _shown(settings, candidates, found)
    elif known.number + 1 == state.last_mark:
        candidates = await read(connection, await storage.last_published(connection))
        if not candidates or digest(known.digest, candidates) != state.last_digest:
            return told
        shown = await _shown(settings, candidates, found)
        if len(shown) < len(candidates):
            return told
    else:
        return told
    if not shown:
        return told
    log.warning("relay_mark_dropped", told=known.number, batches=len(shown))
    return Mark(known.number + 1, digest(known.digest, shown), tuple(batch.batch_id for batch in shown))


async def _shown(settings: Settings, candidates: Sequence[LoggedBatch], found: Ends) -> list[LoggedBatch]:
    """Those of them whose every event is in the topics: what lies open came with the rest, and lacks a marker too."""
    if not candidates:
        return []
    traces = found.behind | await ends.visible(settings, found, sum(len(batch.events) for batch in candidates))
    return [batch for batch in candidates if batch.events and all(map(traces.hold, batch.events))]
