"""What the gate's rule is decided on."""

from cadence_engine.domain.gate import GateReading
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.halts import CLAIMING

READ = """
    SELECT
        clock_timestamp(),
        watermark,
        (SELECT logged_at FROM event_batches WHERE published_at IS NULL ORDER BY batch_id LIMIT 1),
        halted.everyone,
        halted.companies
    FROM reply_gate, (
        SELECT coalesce(bool_or(company_id IS NULL), false) AS everyone, count(company_id) AS companies
        FROM halts WHERE ended_at IS NULL
    ) AS halted
"""
READ_TO_CLAIM = f"{READ}, pg_advisory_xact_lock_shared({CLAIMING})"


async def read(connection: Connection) -> GateReading:
    """One look at clock, watermark, log and halts."""
    return await _read(connection, READ)


async def read_to_claim(connection: Connection) -> GateReading:
    """The same for who may claim next: a halt that is not seen now waits for the end of this transaction."""
    return await _read(connection, READ_TO_CLAIM)


async def _read(connection: Connection, statement: str) -> GateReading:
    row = await connection.fetchrow(statement)
    if row is None:
        raise LookupError("reply_gate has lost its row: run `cadence-engine migrate` on a sound database")
    return GateReading(*row)
