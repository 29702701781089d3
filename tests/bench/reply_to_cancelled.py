"""`message.received` records of enrolled contacts, from visible in Kafka to cancelled: two consumers."""

from datetime import UTC, datetime, timedelta
from time import perf_counter

from cadence_contracts.inbound import MessageReceived
from cadence_engine.devstack.fleet import Consumer
from cadence_engine.domain.events import CANCELLED
from tests.bench import inbound, outcome, path, raw, seed
from tests.bench.outcome import Log
from tests.bench.path import Measured, MeasuredPath
from tests.bench.seed import COMPANY_OF_N, CONTACT_OF_N
from tests.bench.stage import Ground, Stage, running
from tests.bench.waiting import until

LATER = timedelta(days=1)
REPLIES = f"""(
    SELECT {COMPANY_OF_N} AS company_id, {CONTACT_OF_N} AS contact_id, 'conversation-' || n AS conversation_id
    FROM generate_series($1::int, $2::int - 1) AS n
)"""  # noqa: S608  # constants of this package

INBOX = """
    INSERT INTO inbox (source, event_id) SELECT '/crm', 'event-' || n FROM generate_series($1::int, $2::int - 1) AS n
    ON CONFLICT DO NOTHING
"""
CONTACTS = f"""
    UPDATE contacts SET last_message_at = now(), last_inbound_at = now(),
        last_conversation_id = reply.conversation_id, last_conversation_at = now(), mentioned_at = now(),
        revision = revision + 1
    FROM {REPLIES} AS reply
    WHERE contacts.company_id = reply.company_id AND contacts.contact_id = reply.contact_id
"""  # noqa: S608
CONVERSATIONS = f"""
    INSERT INTO conversations (company_id, conversation_id, contact_id, last_message_at)
    SELECT company_id, conversation_id, contact_id, now() FROM {REPLIES} AS reply
    ON CONFLICT (company_id, conversation_id) DO UPDATE SET last_message_at = excluded.last_message_at
"""  # noqa: S608
ENROLLMENTS = f"""
    WITH cancelled AS (
        UPDATE cadence_enrollments AS e SET status = 'cancelled', cancel_reason = 'replied', next_run_at = NULL,
            ended_at = now(), revision = revision + 1
        FROM {REPLIES} AS reply
        WHERE e.company_id = reply.company_id AND e.contact_id = reply.contact_id
            AND e.status IN ('active', 'paused', 'parked')
        RETURNING e.*
    ), clock AS MATERIALIZED (
        SELECT to_char(now(), {raw.WIRE_TIME}) AS at
    ), batch AS (
        INSERT INTO event_batches DEFAULT VALUES RETURNING batch_id, logged_at
    )
    INSERT INTO cadence_events
        (logged_at, batch_id, position, type, event_id, company_id, contact_id, enrollment_id, revision, data)
    SELECT logged_at, batch_id, row_number() OVER (), 'cadence.enrollment.cancelled', gen_random_uuid(), company_id,
        contact_id, enrollment_id, revision,
        jsonb_build_object('companyId', company_id, 'contactId', contact_id, 'enrollmentId', enrollment_id,
            'cadenceId', cadence_id, 'cadenceKey', '{seed.CADENCE}', 'version', version, 'revision', revision,
            'at', clock.at, 'cause', jsonb_build_object('source', '/crm', 'id', 'event-' || substr(contact_id, 9)),
            'reason', cancel_reason, 'stepIndex', step_index, 'actor', null,
            'messageId', 'message-' || substr(contact_id, 9), 'note', null)
    FROM batch, clock, cancelled
"""  # noqa: S608


async def by_engine(stage: Stage, rows: int) -> Measured:
    async with stage.ground(with_topics=True) as ground:
        await _enrolled(ground, rows)
        consumers = [Consumer(ground.directory / f"consumer-{n}", ground.environment()) for n in range(2)]
        async with running(consumers):
            async with inbound.held_back(ground, map(_reply, range(rows))) as applied:
                await seed.settle(ground.pool)
                started = perf_counter()
            seconds = await until(applied, "all replies applied") - started
        return Measured(rows, seconds, await _checked(ground, rows))


async def by_sql(stage: Stage, rows: int) -> Measured:
    async with stage.ground() as ground:
        await _enrolled(ground, rows)
        await seed.settle(ground.pool)
        statements = (INBOX, CONTACTS, CONVERSATIONS, raw.PROGRESS, ENROLLMENTS)
        seconds = await raw.pages(ground, rows, statements)
        return Measured(rows, seconds, await _checked(ground, rows))


async def _enrolled(ground: Ground, rows: int) -> None:
    await seed.cadences(ground.pool)
    await seed.contacts(ground.pool, 0, rows)
    await seed.enrollments(ground.pool, 0, rows, due=datetime.now(UTC) + LATER)


def _reply(n: int) -> MessageReceived:
    known = seed.contact_created(n)
    return MessageReceived(
        company_id=known.company_id,
        contact_id=known.contact_id,
        conversation_id=f"conversation-{n}",
        message_id=f"message-{n}",
    )


async def _checked(ground: Ground, rows: int) -> Log:
    await outcome.of_enrollments(ground.pool, rows, status="cancelled", cancel_reason="replied", revision=2)
    await outcome.of_table(ground.pool, "conversations", rows)
    await outcome.of_table(ground.pool, "inbox", rows)
    await outcome.of_table(ground.pool, "dead_letters", 0)
    return await outcome.of_log(ground.pool, {CANCELLED: rows})


PATH = MeasuredPath("cancelled", "replies to cancelled", by_engine, [path.raw(by_sql, goal=0.5)], inbound.NOTE)
