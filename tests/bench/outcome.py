"""What a measurement has to have written, before a number of it is believed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import orjson

from cadence_engine.storage.connection import Connection, Pool
from tests.bench.published import Told
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


async def of_log(pool: "Pool | Connection", expected: Mapping[str, int]) -> Log:
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


def of_events(told: Iterable[Told]) -> Log:
    """Of events on Kafka: a type has as many rows as enrollments that it tells of. Sizes are those of compact JSON."""
    by_type: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for each in told:
        by_type[each.type].append(each.data)
    return {
        type_: Logged(
            rows=len({data["enrollmentId"] for data in events}),
            fields=tuple(sorted(events[0])),
            bytes_each=fmean(len(orjson.dumps(data)) for data in events),
        )
        for type_, events in by_type.items()
    }


async def of_enrollments(pool: "Pool | Connection", rows: int, **columns: object) -> None:
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


async def of_table(pool: "Pool | Connection", table: str, rows: int) -> None:
    """Raises BenchError unless the table holds just so many rows."""
    found = await pool.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608  # a name that this package gives
    if found != rows:
        raise BenchError(f"{table} holds {found} rows, and should hold {rows}")


def same_work(ours: Log, theirs: Log, *, share: float, rival: str) -> None:
    """Raises BenchError unless both wrote the same: the rival its share of the rows, the same fields, sizes within 5 %.

    `share` is the rival's number of rows by the engine's.
    """
    for type_, our in ours.items():
        their = theirs.get(type_)
        if their is None or (round(our.rows * share), our.fields) != (their.rows, their.fields):
            raise BenchError(f"{rival} did other work: {type_} is {their}, and of the engine {our}")
        if abs(their.bytes_each / our.bytes_each - 1) > 0.05:
            raise BenchError(f"{rival}: {type_} has {their.bytes_each:.0f} bytes, of the engine {our.bytes_each:.0f}")
