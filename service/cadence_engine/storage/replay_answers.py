"""What each batch of a replay answered, kept as long as its idempotency key (see `idempotency`)."""

from typing import Any

from cadence_engine.storage.connection import Connection


async def kept(connection: Connection, company_id: str, idempotency_key: str, begins: str) -> Any | None:
    """The answer to the batch that begins there, as it was given to `keep`; None: it has none yet."""
    return await connection.fetchval(
        "SELECT answer FROM replay_answers WHERE company_id = $1 AND idempotency_key = $2 AND begins = $3",
        company_id,
        idempotency_key,
        begins,
    )


async def keep(connection: Connection, company_id: str, idempotency_key: str, begins: str, answer: Any) -> None:
    """Write the first answer to that batch; plain values, as JSON knows them."""
    await connection.execute(
        "INSERT INTO replay_answers (company_id, idempotency_key, begins, answer) VALUES ($1, $2, $3, $4)",
        company_id,
        idempotency_key,
        begins,
        answer,
    )
