"""What a measurement has to have written, before a number of it is believed."""

from collections.abc import Mapping
from dataclasses import dataclass

from cadence_engine.storage.connection import Pool
from tests.bench.stage import BenchError


@dataclass(frozen=True, slots=True)
class Logged:
    """The log's rows of one type: how many, the fields of their data, and how many bytes these take on average."""

    rows: int
    fields: tuple[str, ...]
    bytes_each: float


Log = Mapping[str, Logged]

LOG = """
    SELECT type, count(*), count(DISTINCT event_id), count(DISTINCT (enrollment_id, revision)),
        avg(length(data::text))::float8,
        (SELECT array_agg(field ORDER BY field) FROM jsonb_object_keys((array_agg(data))[1]) AS field)
    FROM cadence_events GROUP BY type
"""


async def of_log(pool: Pool, expected: Mapping[str, int]) -> Log:
    """The whole log. Raises BenchError where it does not hold just so many rows of each type, none twice."""
    log: dict[str, Logged] = {}
    for type_, rows, ids, changes, bytes_each, fields in await pool.fetch(LOG):
        if not rows == ids == changes:
            raise BenchError(f"{type_}: {rows} rows with {ids} ids of {changes} changes: something is there twice")
        log[type_] = Logged(rows, tuple(fields), bytes_each)
    found = {type_: logged.rows for type_, logged in log.items()}
    if found != expected:
        raise BenchError(f"the log holds {found}, and should hold {dict(expected)}")
    disordered = await pool.fetchval(
        """
        SELECT count(*) FROM (
            SELECT revision, lag(revision, 1, 0) OVER (PARTITION BY enrollment_id ORDER BY batch_id, position) AS before
            FROM cadence_events
        ) AS change WHERE revision < before
        """
    )
    if disordered:
        raise BenchError(f"{disordered} events are logged after a later one of their enrollment")
    return log


async def of_enrollments(pool: Pool, rows: int, **columns: object) -> None:
    """Raises BenchError unless there are just `rows` enrollments of as many contacts, all with these values."""
    wanted = " AND ".join(f"{column}::text = ${place}" for place, column in enumerate(columns, start=1))
    found = await pool.fetchrow(
        f"""
        SELECT count(*), count(*) FILTER (WHERE {wanted}), count(DISTINCT (company_id, contact_id))
        FROM cadence_enrollments
        """,  # noqa: S608  # names that this package gives
        *map(str, columns.values()),
    )
    if found is None or tuple(found) != (rows, rows, rows):
        raise BenchError(f"(enrollments, as expected, contacts) are {found and tuple(found)}; each should be {rows}")


async def of_table(pool: Pool, table: str, rows: int) -> None:
    """Raises BenchError unless the table holds just so many rows."""
    found = await pool.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608  # a name that this package gives
    if found != rows:
        raise BenchError(f"{table} holds {found} rows, and should hold {rows}")


def same_work(engine: Log, raw: Log) -> None:
    """Raises BenchError unless both wrote the same: as many rows, the same fields, sizes within 5 %."""
    for type_, ours in engine.items():
        theirs = raw.get(type_)
        if theirs is None or (ours.rows, ours.fields) != (theirs.rows, theirs.fields):
            raise BenchError(f"the raw side did other work: {type_} is {theirs}, and of the engine {ours}")
        if abs(theirs.bytes_each / ours.bytes_each - 1) > 0.05:
            raise BenchError(f"{type_}: {theirs.bytes_each:.0f} bytes each, of the engine {ours.bytes_each:.0f}")
