"""Companies, cadences, contacts and enrollments in any number, written by set-based SQL into the real schema."""

from datetime import datetime, timedelta
from uuid import uuid4

from cadence_contracts.inbound import ContactCreated
from cadence_engine.definitions import ready
from cadence_engine.definitions.load import load
from cadence_engine.handlers.apply_definition import Proposed, apply_definitions
from cadence_engine.storage import database
from cadence_engine.storage.connection import Pool

COMPANIES = 10
CADENCE = "onboarding"
ZONE = "America/Sao_Paulo"
LOCALE = "pt-BR"
LANGUAGE = "pt_BR"

# The same in SQL and in Python (see `contact_created`): the nth contact.
COMPANY_OF_N = f"'company-' || n % {COMPANIES}"
CONTACT_OF_N = "'contact-' || n"
NAME_OF_N = "'Contact ' || n"
PHONE_OF_N = "'+55119' || lpad(n::text, 8, '0')"

CONTACTS = f"""
    INSERT INTO contacts (company_id, contact_id, name, name_at, phone, phone_at, locale, locale_at,
        time_zone, time_zone_at)
    SELECT {COMPANY_OF_N}, {CONTACT_OF_N}, {NAME_OF_N}, known, {PHONE_OF_N}, known, '{LOCALE}', known, '{ZONE}', known
    FROM generate_series($1::int, $2::int - 1) AS n, LATERAL (SELECT now() - interval '1 day' AS known) AS clock
"""  # noqa: S608  # constants of this module
ENROLLMENTS = f"""
    INSERT INTO cadence_enrollments (company_id, enrollment_id, cadence_id, version, contact_id, status, step_index,
        next_run_at, revision, trigger, triggered_at, started_at)
    SELECT company_id, uuidv7(), cadence_id, current_version, {CONTACT_OF_N}, 'active', 0,
        $3::timestamptz + (n - $1) * $4::interval, 1, 'contact.created',
        now() - interval '1 day', now() - interval '1 day'
    FROM generate_series($1::int, $2::int - 1) AS n JOIN cadences ON company_id = {COMPANY_OF_N}
"""  # noqa: S608
TABLES = "contacts, cadence_enrollments, conversations, inbox"


def contact_created(n: int) -> ContactCreated:
    """What tells of the nth contact."""
    return ContactCreated(
        company_id=f"company-{n % COMPANIES}",
        contact_id=f"contact-{n}",
        name=f"Contact {n}",
        phone=f"+55119{n:08}",
        locale=LOCALE,
        time_zone=ZONE,
    )


async def cadences(pool: Pool) -> None:
    """The companies, each with the ready cadence `onboarding`: three steps, the contact's name in each."""
    text = ready.text_of(CADENCE)
    loaded = [load([(CADENCE, text)], f"company-{n}")[0] for n in range(COMPANIES)]
    proposed = [Proposed(each.company_id, each.definition, uuid4()) for each in loaded]
    await database.run(pool, lambda unit: apply_definitions(unit, proposed, "bench"))


async def contacts(pool: Pool, first: int, end: int) -> None:
    """Contacts `first` to `end` - 1."""
    await _write(pool, CONTACTS, first, end)


async def enrollments(pool: Pool, first: int, end: int, *, due: datetime, apart: float = 0.0) -> None:
    """One of each of these contacts, before its first step, due from `due` on, `apart` seconds apart."""
    await _write(pool, ENROLLMENTS, first, end, due, timedelta(seconds=apart))


async def _write(pool: Pool, statement: str, *values: object) -> None:
    """Without a look at foreign keys: the rows fit by their making."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica; SET LOCAL statement_timeout = 0")
        await connection.execute("SET LOCAL transaction_timeout = 0")
        await connection.execute(statement, *values, timeout=600)


async def settle(pool: Pool) -> None:
    """Statistics and a checkpoint: every measurement starts from the same state."""
    async with pool.acquire() as connection:
        await connection.execute("SET statement_timeout = 0")
        await connection.execute(f"ANALYZE {TABLES}", timeout=600)
        await connection.execute("CHECKPOINT", timeout=600)
        await connection.execute("RESET statement_timeout")
