"""Which moments of the near future have something due: what the planner asks, by the due index alone."""

from datetime import datetime, timedelta

from cadence_engine.storage.connection import Connection

# One index probe per bucket: LATERAL with LIMIT 1 leaves PostgreSQL no other plan.
DUE_MOMENTS = """
WITH clock AS (SELECT ceil(extract(epoch FROM now()) / $1::numeric) AS first)
SELECT to_timestamp((bucket * $1::numeric)::double precision)
FROM clock
CROSS JOIN LATERAL generate_series(first, first + ceil($2::numeric / $1::numeric)) AS bucket
CROSS JOIN LATERAL (
    SELECT FROM cadence_enrollments
    WHERE status = 'active'
      AND next_run_at > to_timestamp(((bucket - 1) * $1::numeric)::double precision)
      AND next_run_at <= to_timestamp((bucket * $1::numeric)::double precision)
    ORDER BY next_run_at
    LIMIT 1
) AS due
ORDER BY bucket
"""


async def due_moments(connection: Connection, *, bucket: timedelta, ahead: timedelta) -> list[datetime]:
    """The ends of the buckets from now to `ahead`, by the database's clock, in which an active enrollment is due.

    Buckets of length `bucket` are counted from 1970; a bucket holds what is due after its start and up to its end.
    """
    rows = await connection.fetch(DUE_MOMENTS, bucket.total_seconds(), ahead.total_seconds())
    return [row[0] for row in rows]
