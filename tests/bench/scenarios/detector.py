"""The detector's one pass over very many silent contacts of one company, beside one statement that writes its rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from time import perf_counter

from cadence_engine.definitions import ready
from cadence_engine.devstack.fleet import Worker
from cadence_engine.domain.events import STARTED
from cadence_engine.handlers.detect_inactive import PAGE
from tests.bench import outcome, raw, seed
from tests.bench.due_to_log import NO_RELAY, rising_watermark
from tests.bench.outcome import Log
from tests.bench.scenarios import crowd
from tests.bench.scenarios.scenario import Finding, Scenario, Tell, at_least
from tests.bench.seed import COMPANIES
from tests.bench.stage import Ground, Stage, running
from tests.bench.waiting import until

COMPANY, CADENCE = "company-0", "reactivation"
OF_RAW = 0.5
LOOK_EVERY = 0.1
CONTACTS_PER_SECOND_AT_LEAST = 1_000

SILENT_FOR = timedelta(days=30)  # and more; 21 days make a contact inactive
NO_LIMIT = "UPDATE companies SET inactivity_limit = NULL, detector_hour = 0"
PASS = """
    SELECT extract(epoch FROM finished_at - started_at)::float8 FROM detector_runs
    WHERE company_id = $1 AND finished_at IS NOT NULL
"""

# All at once; as many batches of the log as the engine writes.
RAW = f"""
    WITH started AS (
        INSERT INTO cadence_enrollments (company_id, enrollment_id, cadence_id, version, contact_id, status, step_index,
            next_run_at, revision, trigger, triggered_at, started_at)
        SELECT company_id, uuidv7(), cadence_id, current_version, contact_id, 'active', 0,
            (now() AT TIME ZONE time_zone + interval '1 day') AT TIME ZONE time_zone, 1, 'inactivity', now(), now()
        FROM contacts JOIN cadences USING (company_id)
        WHERE company_id = $1 AND last_message_at <= now() - interval '21 days' AND NOT opted_out AND NOT erased
        ORDER BY last_message_at, contact_id
        RETURNING *
    ), numbered AS (
        SELECT *, row_number() OVER () AS place FROM started
    ), batch AS (
        INSERT INTO event_batches (logged_at)
        SELECT clock_timestamp() FROM generate_series(1, (SELECT ceil(count(*) / {PAGE}.0)::int FROM started))
        RETURNING batch_id, logged_at
    ), batches AS (
        SELECT *, row_number() OVER () AS page FROM batch
    ), clock AS MATERIALIZED (
        SELECT to_char(now(), {raw.WIRE_TIME}) AS at
    )
    INSERT INTO cadence_events
        (logged_at, batch_id, position, type, event_id, company_id, contact_id, enrollment_id, revision, data)
    SELECT logged_at, batch_id, place % {PAGE}, '{STARTED}', gen_random_uuid(), company_id, contact_id, enrollment_id,
        revision,
        jsonb_build_object('companyId', company_id, 'contactId', contact_id, 'enrollmentId', enrollment_id,
            'cadenceId', cadence_id, 'cadenceKey', '{CADENCE}', 'version', version, 'revision', revision,
            'at', clock.at, 'cause', jsonb_build_object('actor', 'inactivity-detector'), 'trigger', trigger,
            'leadId', null, 'conversationId', null, 'nextRunAt', to_char(next_run_at, {raw.WIRE_TIME}))
    FROM clock, numbered JOIN batches ON page = (place - 1) / {PAGE} + 1
"""  # noqa: S608  # constants of this package


@dataclass(frozen=True, slots=True)
class Size:
    """`contacts` of one company, all of them silent; engine and raw take turns `runs` times."""

    contacts: int = 1_000_000
    runs: int = 1


async def measure(stage: Stage, tell: Tell, size: Size) -> Sequence[Finding]:
    engine: list[float] = []
    by_sql: list[float] = []
    for run in range(size.runs):
        engine_log, seconds = await _by_engine(stage, tell, size)
        engine.append(size.contacts / seconds)
        tell(f"detector, run {run + 1}: {engine[-1]:,.0f} enrolled/s")
        raw_log, seconds = await _by_sql(stage, tell, size)
        by_sql.append(size.contacts / seconds)
        tell(f"detector, raw SQL, run {run + 1}: {by_sql[-1]:,.0f} enrolled/s")
        outcome.same_work(engine_log, raw_log, share=1.0, rival="raw SQL")
    return [
        Finding(f"one pass over {size.contacts:,} silent contacts", median(engine), "enrolled/s"),
        Finding("raw INSERT .. SELECT of the same rows", median(by_sql), "enrolled/s"),
        at_least("one pass to raw", median(a / b for a, b in zip(engine, by_sql, strict=True)), OF_RAW),
    ]


async def _by_engine(stage: Stage, tell: Tell, size: Size) -> tuple[Log, float]:
    async with stage.ground() as ground:
        await _silent(ground, tell, size)
        worker = Worker(ground.directory / "worker", ground.environment(**NO_RELAY, CADENCE_DETECT_EVERY="0.2"))
        # Until the watermark rises, the gate holds the detector.
        async with running([worker]), rising_watermark(ground):

            async def finished() -> bool:
                return await ground.pool.fetchval(PASS, COMPANY) is not None

            within = 60 + size.contacts / CONTACTS_PER_SECOND_AT_LEAST
            await until(finished, "the detector's pass", within=within, every=LOOK_EVERY)
        return await _checked(ground, size), await ground.pool.fetchval(PASS, COMPANY)


async def _by_sql(stage: Stage, tell: Tell, size: Size) -> tuple[Log, float]:
    async with stage.ground() as ground:
        await _silent(ground, tell, size)
        began = perf_counter()
        await seed.unlimited(ground.pool, RAW, COMPANY)
        seconds = perf_counter() - began
        return await _checked(ground, size), seconds


async def _silent(ground: Ground, tell: Tell, size: Size) -> None:
    await seed.cadences(ground.pool, ready.text_of(CADENCE))
    since = await crowd.now(ground) - SILENT_FOR
    await seed.contacts(ground.pool, 0, size.contacts * COMPANIES, every=COMPANIES, silent_since=since, tell=tell)
    await ground.pool.execute(NO_LIMIT)
    await seed.settle(ground.pool)


async def _checked(ground: Ground, size: Size) -> Log:
    async with ground.patient() as connection:
        await outcome.of_enrollments(connection, size.contacts, status="active", step_index=0, trigger="inactivity")
        return await outcome.of_log(connection, {STARTED: size.contacts})


def scenario(size: Size = Size()) -> Scenario:
    return Scenario("detector", "the detector's pass", lambda stage, tell: measure(stage, tell, size))
