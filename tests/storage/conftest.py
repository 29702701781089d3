"""A database in which every table that grows is large."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy.engine import make_url

from cadence_engine.definitions import ready
from cadence_engine.devstack.servers import Servers
from cadence_engine.storage import database, partitions
from cadence_engine.storage.connection import Pool
from tests.bench import seed

CONTACTS = 90_000
OVERDUE = 5_000
LATER = 45_000
ENDED = 30_000
UUIDV7_SINCE = 18
PARKED = 5_000
UNPUBLISHED = 50
UNCOUNTED = 5  # published, and not in the funnels yet
EVENTS_IN_BATCH = 20

FILL = f"""
    SET LOCAL session_replication_role = replica;
    SET LOCAL statement_timeout = 0;

    INSERT INTO conversations (company_id, conversation_id, contact_id, last_message_at)
    SELECT company_id, 'conversation-' || substr(contact_id, 9), contact_id, last_message_at FROM contacts;

    INSERT INTO leads (company_id, lead_id, contact_id)
    SELECT company_id, 'lead-' || substr(contact_id, 9), contact_id FROM contacts;

    INSERT INTO contact_tags (company_id, contact_id, owner, tag)
    SELECT company_id, contact_id, 'crm', 'tag' FROM contacts;

    INSERT INTO inbox (source, event_id) SELECT '/crm', 'old-' || n FROM generate_series(1, 100000) AS n;

    INSERT INTO cadence_enrollments (company_id, enrollment_id, cadence_id, version, contact_id, status, step_index,
        revision, trigger, triggered_at, started_at, ended_at)
    SELECT company_id, gen_random_uuid(), cadence_id, version, contact_id, 'completed', 3, 5, trigger,
        triggered_at - interval '9 days', started_at - interval '9 days', started_at - interval '5 days'
    FROM cadence_enrollments LIMIT {ENDED};

    UPDATE cadence_enrollments
    SET status = 'parked', park_reason = 'missing_variable', park_detail = 'contact.name', parked_knowing = '-'
    WHERE contact_id IN (
        SELECT contact_id FROM cadence_enrollments WHERE status = 'active' ORDER BY next_run_at DESC LIMIT {PARKED}
    ) AND status = 'active';

    INSERT INTO event_batches (logged_at, published_at, counted)
    SELECT now() - (5000 - n) * interval '1 second', CASE WHEN n <= 5000 - {UNPUBLISHED} THEN now() END,
        n <= 5000 - {UNPUBLISHED} - {UNCOUNTED}
    FROM generate_series(1, 5000) AS n;

    INSERT INTO cadence_events
        (logged_at, batch_id, position, type, event_id, company_id, contact_id, enrollment_id, revision, data)
    SELECT logged_at, batch_id, position, 'cadence.step.executed', gen_random_uuid(), company_id, contact_id,
        enrollment_id, 2, jsonb_build_object('enrollmentId', enrollment_id)
    FROM (SELECT *, row_number() OVER () AS place FROM cadence_enrollments) AS enrollment
    JOIN (
        SELECT *, row_number() OVER (ORDER BY batch_id DESC, position) AS place
        FROM event_batches, generate_series(1, {EVENTS_IN_BATCH}) AS position
    ) AS slot USING (place);

    INSERT INTO detector_runs (company_id, local_date, finished_at)
    SELECT company_id, current_date - ago, now() FROM companies, generate_series(1, 1000) AS ago;

    INSERT INTO stream_progress
    SELECT 'contact.' || what, 0, 0 FROM unnest('{{created,updated,deleted}}'::text[]) AS what
    UNION ALL SELECT 'message.received', 0, 0;
    UPDATE companies SET inactivity_limit = NULL, detector_hour = 0;
    UPDATE reply_gate SET watermark = clock_timestamp();
"""  # noqa: S608  # constants of this module


@pytest_asyncio.fixture(scope="session")
async def large(servers: Servers, _template_database: str) -> AsyncIterator[Pool]:
    """Its database is filled once for all tests: what they do in it, they undo."""
    name = f"cadence_large_{uuid.uuid4().hex[:12]}"
    admin = await asyncpg.connect(servers.addresses.database_url)
    if admin.get_server_version().major < UUIDV7_SINCE:
        await admin.close()
        pytest.skip("NOT CHECKED on this PostgreSQL: the plans. Their rows are made with uuidv7() of version 18.")
    await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{_template_database}"')
    url = make_url(servers.addresses.database_url).set(database=name).render_as_string(hide_password=False)
    pool = await database.connect(url, process="test", size=2)
    await _fill(pool)
    yield pool
    await pool.close()
    await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await admin.close()


async def _fill(pool: Pool) -> None:
    now = datetime.now(UTC)
    await database.run(pool, lambda unit: partitions.make_ahead(unit.connection, today_too=True))
    await seed.cadences(pool)
    await seed.contacts(pool, 0, CONTACTS, silent_since=now - timedelta(days=30))
    await seed.enrollments(pool, 0, OVERDUE, due=now - timedelta(hours=2), apart=1.0)
    await seed.enrollments(pool, OVERDUE, OVERDUE + LATER, due=now + timedelta(hours=1), apart=60.0)
    await seed.cadences(pool, ready.text_of("reactivation"))
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(FILL)
    await pool.execute("ANALYZE")
