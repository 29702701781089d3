"""What the gate's rule is decided on."""

from cadence_engine.domain.gate import GateReading
from cadence_engine.storage.connection import Connection


async def read(connection: Connection) -> GateReading:
    """One look at clock, watermark and log."""
    row = await connection.fetchrow(
        """
        SELECT
            clock_timestamp(),
            watermark,
            (SELECT logged_at FROM event_batches WHERE published_at IS NULL ORDER BY batch_id LIMIT 1)
        FROM reply_gate
        """
    )
    if row is None:
        raise LookupError("reply_gate has lost its row: run `cadence-engine migrate` on a sound database")
    return GateReading(row[0], row[1], row[2])
