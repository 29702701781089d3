"""Steps that all become due at one instant, and the raw side of running them; both due paths start here."""

from datetime import datetime, timedelta
from time import perf_counter

from cadence_engine.domain.events import SEND_REQUESTED, STEP_EXECUTED
from cadence_engine.storage.connection import Connection
from tests.bench import outcome, raw, seed
from tests.bench.outcome import Log
from tests.bench.path import Measured
from tests.bench.stage import BenchError, Ground, Stage

NOTICE = timedelta(seconds=2.5)
"""What the planner, which looks every 2 s, needs to have it in Redis before it is due."""
ENROLLED_PER_SECOND = 20_000  # first guess, for choosing the instant

# Claim, update and log in one statement, and no decision in it: the very least that writes the same rows.
RUN_DUE = f"""
    WITH due AS (
        SELECT company_id, enrollment_id, contact_id, cadence_id, next_run_at FROM cadence_enrollments
        WHERE status = 'active' AND next_run_at <= $1
        ORDER BY next_run_at LIMIT $2
        FOR UPDATE SKIP LOCKED
    ), moved AS (
        UPDATE cadence_enrollments AS e SET step_index = e.step_index + 1, revision = e.revision + 1,
            next_run_at = (now() AT TIME ZONE c.time_zone + interval '1 day') AT TIME ZONE c.time_zone
        FROM due JOIN contacts AS c USING (company_id, contact_id)
        WHERE e.company_id = due.company_id AND e.enrollment_id = due.enrollment_id
        RETURNING e.*, to_char(due.next_run_at, {raw.WIRE_TIME}) AS due_at, c.name, c.phone, gen_random_uuid() AS send
    ), clock AS MATERIALIZED (
        SELECT to_char(now(), {raw.WIRE_TIME}) AS at, to_char(now() + interval '1 hour', {raw.WIRE_TIME}) AS expires
    ), batch AS (
        INSERT INTO event_batches DEFAULT VALUES RETURNING batch_id, logged_at
    ), logged AS (
        INSERT INTO cadence_events
            (logged_at, batch_id, position, type, event_id, company_id, contact_id, enrollment_id, revision, data)
        SELECT logged_at, batch_id, row_number() OVER (), type, id, company_id, contact_id, enrollment_id, revision,
            data
        FROM batch, clock, moved CROSS JOIN LATERAL (VALUES
            ('whatsapp.send.requested', send, jsonb_build_object('sendId', send, 'companyId', company_id,
                'contactId', contact_id, 'to', phone, 'conversationId', conversation_id,
                'template', jsonb_build_object('id', '{seed.CADENCE}_welcome', 'language', '{seed.LANGUAGE}',
                    'category', 'marketing', 'variables', jsonb_build_object('contactName', name)),
                'enrollmentId', enrollment_id, 'cadenceId', cadence_id, 'cadenceKey', '{seed.CADENCE}',
                'version', version, 'stepKey', 'welcome', 'stepIndex', 0, 'dueAt', due_at, 'requestedAt', clock.at,
                'expiresAt', clock.expires)),
            ('cadence.step.executed', gen_random_uuid(), jsonb_build_object('companyId', company_id,
                'contactId', contact_id, 'enrollmentId', enrollment_id, 'cadenceId', cadence_id,
                'cadenceKey', '{seed.CADENCE}', 'version', version, 'revision', revision, 'at', clock.at,
                'cause', jsonb_build_object('actor', 'schedule'), 'stepKey', 'welcome', 'stepIndex', 0,
                'sendId', send, 'dueAt', due_at, 'nextRunAt', to_char(next_run_at, {raw.WIRE_TIME})))
        ) AS event (type, id, data)
    )
    SELECT count(*) FROM moved
"""  # noqa: S608  # constants of this package


async def by_sql(stage: Stage, rows: int) -> Measured:
    """Two connections, each claiming as many steps at a time as a worker does."""
    async with stage.ground() as ground:
        await seed.cadences(ground.pool)
        await seed.contacts(ground.pool, 0, rows)
        await seed.settle(ground.pool)
        due_at = await ground.pool.fetchval("SELECT clock_timestamp()")
        await _enroll(ground, rows, due_at)

        async def portion(connection: Connection) -> bool:
            async with connection.transaction():
                return bool(await connection.fetchval(RUN_DUE, due_at, ground.settings.claim_rows))

        seconds = await raw.race(ground, portion)
        return Measured(rows, seconds, await checked(ground, rows))


async def soon(ground: Ground, rows: int) -> tuple[datetime, float]:
    """Have `rows` contacts wait for one instant soon: that instant, by the database's clock and by `perf_counter`.

    The engine knows of it in time. Raises BenchError where the machine is too busy for that.
    """
    await seed.contacts(ground.pool, 0, rows)
    await seed.settle(ground.pool)
    for allowed in (1, 2, 4, 8):
        await ground.pool.execute("TRUNCATE cadence_enrollments")
        seconds = allowed * (1 + rows / ENROLLED_PER_SECOND)
        due_at = await _now(ground) + NOTICE + timedelta(seconds=seconds)
        await _enroll(ground, rows, due_at)
        asked = perf_counter()
        left = due_at - await _now(ground)
        if left >= NOTICE:
            return due_at, asked + left.total_seconds()
    raise BenchError(f"enrolling {rows} contacts took more than {seconds:.0f} s: this machine is too busy")


async def instant(ground: Ground, ahead: timedelta) -> tuple[datetime, float]:
    """The instant so far ahead, by the database's clock and by `perf_counter`."""
    asked = perf_counter()
    return await _now(ground) + ahead, asked + ahead.total_seconds()


async def _enroll(ground: Ground, rows: int, due_at: datetime) -> None:
    await seed.enrollments(ground.pool, 0, rows, due=due_at)
    await ground.pool.execute("ANALYZE cadence_enrollments")


async def _now(ground: Ground) -> datetime:
    now: datetime = await ground.pool.fetchval("SELECT clock_timestamp()")
    return now


async def anything_due(ground: Ground, due_at: datetime, since: datetime | None = None) -> bool:
    """Whether a step is due by then; `since`: looked for from then on, for to look at all that ran takes time."""
    return bool(
        await ground.pool.fetchval(
            "SELECT EXISTS (SELECT FROM cadence_enrollments WHERE status = 'active' AND next_run_at <= $1"
            " AND next_run_at >= coalesce($2, '-infinity'::timestamptz))",
            due_at,
            since,
        )
    )


async def checked(ground: Ground, rows: int) -> Log:
    async with ground.patient() as connection:
        await outcome.of_enrollments(connection, rows, status="active", step_index=1, revision=2)
        return await outcome.of_log(connection, {SEND_REQUESTED: rows, STEP_EXECUTED: rows})
