"""Records of ours that no marker has ended, although their transaction is over.

Kafka writes no marker where a partition has no leader at that moment: its coordinator takes the partition for deleted,
and calls the transaction complete (`TransactionMarkerChannelManager`, seen with 4.3.1 when a transaction timed out
while a killed broker came back). Readers of committed records then stand still in front of such records, and the next
commit of the same producer would show them, also where their transaction was aborted and they are published again.
"""

import structlog
from aiokafka.errors import KafkaError

from cadence_engine.bus.relay import ends
from cadence_engine.bus.relay.ends import Ends
from cadence_engine.bus.relay.errors import HistoryMismatch
from cadence_engine.bus.relay.publisher import Publisher
from cadence_engine.settings import Settings
from cadence_engine.storage import relay as storage
from cadence_engine.storage.connection import Connection

log = structlog.stdlib.get_logger("cadence_engine.relay")


async def end_orphans(connection: Connection, publisher: Publisher, settings: Settings, found: Ends) -> None:
    """End what Kafka has left open: commit it where the mark says that it is published, else abort it.

    To be called when the mark is settled and nothing is under way. Raises HistoryMismatch where both kinds are found,
    KafkaError where they stay.
    """
    if not found.open_:
        return
    orphans = found.behind
    unpublished = await storage.unpublished_among(connection, orphans.event_ids)
    unpublished += await storage.unpublished_letters_among(connection, orphans.letters)
    where = [f"{each.topic}/{each.partition}" for each in found.open_]
    log.warning("relay_orphans", partitions=where, records=len(orphans), unpublished=unpublished)
    if 0 < unpublished < len(orphans):
        raise HistoryMismatch(
            f"Kafka holds {len(orphans)} records in {', '.join(where)} that no marker ended, and {unpublished} of them "
            "are not published by the mark: neither aborting nor committing them would be right"
        )
    await publisher.end_open(found.open_, commit=not unpublished)
    if (await ends.look(settings, list(found.stable))).open_:
        raise KafkaError(f"records in {', '.join(where)} are still open after a marker was asked for")
