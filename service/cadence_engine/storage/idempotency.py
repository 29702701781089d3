"""Idempotency keys: what each was first used for. Their answers are kept until some days after their last use."""

from datetime import timedelta

from cadence_engine.storage.connection import Connection


async def use(connection: Connection, company_id: str, idempotency_key: str, used_for: str) -> bool:
    """Lock the key until the transaction ends, and note its use; False: it was first used for something else."""
    first_used_for = await connection.fetchval(
        """
        INSERT INTO idempotency_keys AS known (company_id, idempotency_key, used_for) VALUES ($1, $2, $3)
        ON CONFLICT (company_id, idempotency_key) DO UPDATE SET used_at = greatest(known.used_at, excluded.used_at)
        RETURNING used_for
        """,
        company_id,
        idempotency_key,
        used_for,
    )
    return bool(first_used_for == used_for)


async def forget(connection: Connection, older_than: timedelta, rows: int) -> int:
    """Delete up to `rows` answers of one key that was not used for so long, and with its last one the key.

    Answers how much was deleted; 0: nothing is that old.
    """
    key = await connection.fetchrow(
        """
        SELECT company_id, idempotency_key FROM idempotency_keys WHERE used_at < now() - $1::interval
        ORDER BY used_at LIMIT 1 FOR UPDATE SKIP LOCKED
        """,
        older_than,
    )
    if key is None:
        return 0
    deleted = await connection.fetchval(
        """
        WITH gone AS (
            DELETE FROM enroll_many_answers WHERE (company_id, idempotency_key, row_number) IN (
                SELECT company_id, idempotency_key, row_number FROM enroll_many_answers
                WHERE company_id = $1 AND idempotency_key = $2 LIMIT $3
            ) RETURNING 1
        )
        SELECT count(*) FROM gone
        """,
        *key,
        rows,
    )
    if deleted < rows:
        await connection.execute("DELETE FROM idempotency_keys WHERE company_id = $1 AND idempotency_key = $2", *key)
        deleted += 1
    return int(deleted)
