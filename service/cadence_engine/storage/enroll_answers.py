"""What enroll-many answered: kept under its idempotency key until some days after its last use."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from cadence_engine.storage.connection import Connection


@dataclass(frozen=True, slots=True)
class Answer:
    """`digest` is that of the row; `enrollment_id` None where it was refused, `refusal` where it was not."""

    row_number: int
    digest: str
    outcome: str
    enrollment_id: UUID | None
    refusal: str | None


async def use(connection: Connection, company_id: str, idempotency_key: str, cadence_id: UUID) -> UUID:
    """Lock the key until the transaction ends, and note its use; answers the cadence that it was first used for."""
    used_for: UUID = await connection.fetchval(
        """
        INSERT INTO enroll_many AS known (company_id, idempotency_key, cadence_id) VALUES ($1, $2, $3)
        ON CONFLICT (company_id, idempotency_key) DO UPDATE SET used_at = greatest(known.used_at, excluded.used_at)
        RETURNING cadence_id
        """,
        company_id,
        idempotency_key,
        cadence_id,
    )
    return used_for


async def kept(
    connection: Connection, company_id: str, idempotency_key: str, row_numbers: Collection[int]
) -> dict[int, Answer]:
    """The answers to those of the rows that have one, by row number."""
    rows = await connection.fetch(
        """
        SELECT row_number, digest, outcome, enrollment_id, refusal FROM enroll_many_answers
        WHERE company_id = $1 AND idempotency_key = $2 AND row_number = ANY($3::int[])
        """,
        company_id,
        idempotency_key,
        list(row_numbers),
    )
    return {row[0]: Answer(*row) for row in rows}


async def keep(connection: Connection, company_id: str, idempotency_key: str, answers: Iterable[Answer]) -> None:
    """Write the first answers to these rows."""
    await connection.copy_records_to_table(
        "enroll_many_answers",
        columns=("company_id", "idempotency_key", "row_number", "digest", "outcome", "enrollment_id", "refusal"),
        records=[
            (company_id, idempotency_key, a.row_number, a.digest, a.outcome, a.enrollment_id, a.refusal)
            for a in answers
        ],
    )


async def forget(connection: Connection, older_than: timedelta, rows: int) -> int:
    """Delete up to `rows` answers of one key that was not used for so long, and with its last one the key.

    Answers how much was deleted; 0: nothing is that old.
    """
    key = await connection.fetchrow(
        """
        SELECT company_id, idempotency_key FROM enroll_many WHERE used_at < now() - $1::interval
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
        await connection.execute("DELETE FROM enroll_many WHERE company_id = $1 AND idempotency_key = $2", *key)
        deleted += 1
    return int(deleted)
