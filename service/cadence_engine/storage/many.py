"""Many rows with one statement, whose parameters are the columns."""

from collections.abc import Iterable

from cadence_engine.storage.connection import Connection


async def execute(connection: Connection, statement: str, rows: Iterable[tuple[object, ...]]) -> int:
    """How many rows the statement wrote, its nth parameter the array of the rows' nth values; none: it is not run."""
    columns = list(zip(*rows, strict=True))
    return int((await connection.execute(statement, *columns)).rpartition(" ")[2]) if columns else 0
