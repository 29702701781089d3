"""How often what happened in each version of a cadence: counted from the log afterwards, each batch exactly once.

Steps that run write nothing here. What is not counted yet is added where somebody asks, so that answers are exact.
"""

from uuid import UUID

from cadence_engine.domain.events import CANCELLED, MOVED
from cadence_engine.domain.funnel import COUNTED, WHOLE, Count
from cadence_engine.storage.connection import Connection

# The log is gone to by its primary key: LATERAL and OFFSET leave PostgreSQL no other plan.
EVENTS = f"""
    SELECT event.* FROM batch CROSS JOIN LATERAL (
        SELECT company_id, type, data FROM cadence_events
        WHERE logged_at = batch.logged_at AND batch_id = batch.batch_id
            AND type IN ({", ".join(f"'{kind}'" for kind in COUNTED)})
        OFFSET 0
    ) AS event
"""  # noqa: S608  # constants of the domain
AMOUNTS = f"""
    SELECT company_id, (data ->> 'cadenceId')::uuid AS cadence_id, (data ->> 'version')::int AS version, type,
        coalesce((data ->> 'stepIndex')::int, {WHOLE}) AS step_index,
        CASE type WHEN '{CANCELLED}' THEN data ->> 'reason' WHEN '{MOVED}' THEN data ->> 'fromVersion' ELSE '' END
            AS reason, count(*) AS amount
    FROM event GROUP BY 1, 2, 3, 4, 5, 6
"""  # noqa: S608

# Published batches only: until then a deletion may turn a send into a step that is skipped.
COUNT = f"""
    WITH batch AS MATERIALIZED (
        SELECT logged_at, batch_id FROM event_batches WHERE NOT counted AND published_at IS NOT NULL
        ORDER BY batch_id LIMIT $1 FOR UPDATE SKIP LOCKED
    ), event AS ({EVENTS}), amount AS ({AMOUNTS}), added AS (
        INSERT INTO cadence_counts AS known (company_id, cadence_id, version, type, step_index, reason, amount)
        SELECT amount.* FROM amount JOIN cadence_versions USING (company_id, cadence_id, version)
        ORDER BY company_id, cadence_id, version, type, step_index, reason
        ON CONFLICT (company_id, cadence_id, version, type, step_index, reason)
            DO UPDATE SET amount = known.amount + excluded.amount
    )
    UPDATE event_batches SET counted = true FROM batch WHERE event_batches.batch_id = batch.batch_id
"""  # noqa: S608  # constants of this module
# $1: the company.
OF_COMPANY = f"""
    WITH batch AS MATERIALIZED (
        SELECT logged_at, batch_id FROM event_batches WHERE NOT counted
    ), event AS (SELECT * FROM ({EVENTS}) AS event WHERE company_id = $1), amount AS ({AMOUNTS})
    SELECT cadence_id, version, type, step_index, reason, amount FROM cadence_counts WHERE company_id = $1
    UNION ALL
    SELECT cadence_id, version, type, step_index, reason, amount FROM amount
"""  # noqa: S608
OF_CADENCE = f"""
    SELECT version, type, step_index, reason, sum(amount)::bigint FROM ({OF_COMPANY}) AS told
    WHERE cadence_id = $2 GROUP BY 1, 2, 3, 4
"""  # noqa: S608


async def count(connection: Connection, batches: int) -> int:
    """Add up to so many published batches of the log to the counts; answers how many. Others count other batches."""
    return int((await connection.execute(COUNT, batches)).rpartition(" ")[2])


async def of_cadence(connection: Connection, company_id: str, cadence_id: UUID) -> list[Count]:
    """Everything that the log has told of the cadence so far, by version."""
    return [Count(*row) for row in await connection.fetch(OF_CADENCE, company_id, cadence_id)]
