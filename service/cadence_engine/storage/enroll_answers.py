"""What enroll-many answered to each row, kept as long as its idempotency key (see `idempotency`)."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
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
