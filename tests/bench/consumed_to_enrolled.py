"""`contact.created` records of new contacts, from visible in Kafka to enrolled: two consumers."""

from time import perf_counter

from cadence_engine.devstack.fleet import Consumer
from cadence_engine.domain.events import STARTED
from tests.bench import inbound, outcome, path, raw, seed
from tests.bench.outcome import Log
from tests.bench.path import Measured, MeasuredPath
from tests.bench.seed import COMPANY_OF_N, CONTACT_OF_N, LOCALE, NAME_OF_N, PHONE_OF_N, ZONE
from tests.bench.stage import Ground, Stage, running
from tests.bench.waiting import until

INBOX = """
    INSERT INTO inbox (source, event_id) SELECT '/crm', 'event-' || n FROM generate_series($1::int, $2::int - 1) AS n
    ON CONFLICT DO NOTHING
"""
CONTACTS = f"""
    INSERT INTO contacts (company_id, contact_id, name, name_at, phone, phone_at, locale, locale_at,
        time_zone, time_zone_at, mentioned_at)
    SELECT {COMPANY_OF_N}, {CONTACT_OF_N}, {NAME_OF_N}, now(), {PHONE_OF_N}, now(), '{LOCALE}', now(),
        '{ZONE}', now(), now()
    FROM generate_series($1::int, $2::int - 1) AS n
    ON CONFLICT DO NOTHING
"""  # noqa: S608  # constants of this package
ENROLLMENTS = f"""
    WITH started AS (
        INSERT INTO cadence_enrollments (company_id, enrollment_id, cadence_id, version, contact_id, status, step_index,
            next_run_at, revision, trigger, triggered_at, started_at)
        SELECT company_id, uuidv7(), cadence_id, current_version, {CONTACT_OF_N}, 'active', 0,
            now() + interval '15 minutes', 1, 'contact.created', now(), now()
        FROM generate_series($1::int, $2::int - 1) AS n JOIN cadences ON company_id = {COMPANY_OF_N}
        RETURNING *
    ), clock AS MATERIALIZED (
        SELECT to_char(now(), {raw.WIRE_TIME}) AS at, to_char(now() + interval '15 minutes', {raw.WIRE_TIME}) AS next
    ), batch AS (
        INSERT INTO event_batches DEFAULT VALUES RETURNING batch_id, logged_at
    )
    INSERT INTO cadence_events
        (logged_at, batch_id, position, type, event_id, company_id, contact_id, enrollment_id, revision, data)
    SELECT logged_at, batch_id, row_number() OVER (), 'cadence.enrollment.started', gen_random_uuid(), company_id,
        contact_id, enrollment_id, revision,
        jsonb_build_object('companyId', company_id, 'contactId', contact_id, 'enrollmentId', enrollment_id,
            'cadenceId', cadence_id, 'cadenceKey', '{seed.CADENCE}', 'version', version, 'revision', revision,
            'at', clock.at, 'cause', jsonb_build_object('source', '/crm', 'id', 'event-' || substr(contact_id, 9)),
            'trigger', trigger, 'leadId', null, 'conversationId', null, 'nextRunAt', clock.next)
    FROM batch, clock, started
"""  # noqa: S608


async def by_engine(stage: Stage, rows: int) -> Measured:
    async with stage.ground(with_topics=True) as ground:
        await seed.cadences(ground.pool)
        consumers = [Consumer(ground.directory / f"consumer-{n}", ground.environment()) for n in range(2)]
        async with running(consumers):
            async with inbound.held_back(ground, map(seed.contact_created, range(rows))) as applied:
                await seed.settle(ground.pool)
                started = perf_counter()
            seconds = await until(applied, "all records applied") - started
        return Measured(rows, seconds, await _checked(ground, rows))


async def by_sql(stage: Stage, rows: int) -> Measured:
    async with stage.ground() as ground:
        await seed.cadences(ground.pool)
        await seed.settle(ground.pool)
        seconds = await raw.pages(ground, rows, (INBOX, CONTACTS, raw.PROGRESS, ENROLLMENTS))
        return Measured(rows, seconds, await _checked(ground, rows))


async def _checked(ground: Ground, rows: int) -> Log:
    await outcome.of_enrollments(ground.pool, rows, status="active", step_index=0, revision=1)
    await outcome.of_table(ground.pool, "contacts", rows)
    await outcome.of_table(ground.pool, "inbox", rows)
    await outcome.of_table(ground.pool, "dead_letters", 0)
    return await outcome.of_log(ground.pool, {STARTED: rows})


PATH = MeasuredPath("enrolled", "events consumed to enrolled", by_engine, [path.raw(by_sql, goal=0.5)], inbound.NOTE)
