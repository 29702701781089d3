"""Companies, cadences, contacts and enrollments in any number, written by set-based SQL into the real schema."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
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
CONTACT_OF_N = "'contact-' || lpad(n::text, 8, '0')"
"""In the order in which they were made, as those of most databases are."""
NAME_OF_N = "'Contact ' || n"
PHONE_OF_N = "'+55119' || lpad(n::text, 8, '0')"

CONTACTS = f"""
    INSERT INTO contacts (company_id, contact_id, name, name_at, phone, phone_at, locale, locale_at,
        time_zone, time_zone_at, last_message_at)
    SELECT {COMPANY_OF_N}, {CONTACT_OF_N}, {NAME_OF_N}, known, {PHONE_OF_N}, known, '{LOCALE}', known, '{ZONE}', known,
        $4::timestamptz - n * interval '1 second'
    FROM generate_series($1::int, $2::int - 1, $3::int) AS n,
        LATERAL (SELECT now() - interval '1 day' AS known) AS clock
"""  # noqa: S608  # constants of this module
ENROLLMENTS = f"""
    INSERT INTO cadence_enrollments (company_id, enrollment_id, cadence_id, version, contact_id, status, step_index,
        next_run_at, revision, trigger, triggered_at, started_at)
    SELECT company_id, uuidv7(), cadence_id, current_version, {CONTACT_OF_N}, 'active', 0,
        $4::timestamptz + (n - $1) / $3 * $5::interval, 1, 'contact.created',
        now() - interval '1 day', now() - interval '1 day'
    FROM generate_series($1::int, $2::int - 1, $3::int) AS n JOIN cadences ON company_id = {COMPANY_OF_N}
"""  # noqa: S608
LONG = 1800.0  # seconds
PORTION = 250_000  # rows in one transaction

Tell = Callable[[str], None]
"""Takes a line about how far a measurement has come."""

TABLES = "contacts, cadence_enrollments, conversations, inbox"


def contact_id(n: int) -> str:
    """The nth contact's."""
    return f"contact-{n:08}"


def contact_created(n: int) -> ContactCreated:
    """What tells of the nth contact."""
    return ContactCreated(
        company_id=f"company-{n % COMPANIES}",
        contact_id=contact_id(n),
        name=f"Contact {n}",
        phone=f"+55119{n:08}",
        locale=LOCALE,
        time_zone=ZONE,
    )


async def cadences(pool: Pool, text: str | None = None) -> None:
    """The companies, each with the cadence of `text`, else the ready one `onboarding`: three steps, a name in each."""
    text = text or ready.text_of(CADENCE)
    loaded = [load([("cadence", text)], f"company-{n}")[0] for n in range(COMPANIES)]
    proposed = [Proposed(each.company_id, each.definition, uuid4()) for each in loaded]
    await database.run(pool, lambda unit: apply_definitions(unit, proposed, "bench"))


async def contacts(
    pool: Pool,
    first: int,
    end: int,
    *,
    every: int = 1,
    silent_since: datetime | None = None,
    tell: Tell | None = None,
) -> None:
    """Contacts `first` to `end` - 1, or each `every`th of them (so 10 is: of one company).

    They never wrote nor were written to; with `silent_since` the nth was, n seconds before.
    """
    for start, stop in _portions(first, end, every):
        await _write(pool, CONTACTS, start, stop, every, silent_since)
        _say(tell, "contacts", range(first, stop, every), range(first, end, every))


async def enrollments(
    pool: Pool,
    first: int,
    end: int,
    *,
    due: datetime,
    apart: float = 0.0,
    every: int = 1,
    tell: Tell | None = None,
) -> None:
    """One of each of these contacts, before its first step, due from `due` on, `apart` seconds apart."""
    for start, stop in _portions(first, end, every):
        already = timedelta(seconds=apart) * ((start - first) // every)
        await _write(pool, ENROLLMENTS, start, stop, every, due + already, timedelta(seconds=apart))
        _say(tell, "enrollments", range(first, stop, every), range(first, end, every))


@contextlib.asynccontextmanager
async def indexed_afterwards(pool: Pool, table: str, tell: Tell | None = None) -> AsyncIterator[None]:
    """The table's plain indexes are away meanwhile, and built at the end: far quicker where very many rows come."""
    indexes = await pool.fetch(
        """
        SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index
        WHERE indrelid = $1::text::regclass AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
        """,
        table,
    )
    for name, _ in indexes:
        await pool.execute(f"DROP INDEX {name}")
    yield
    for name, definition in indexes:
        await unlimited(pool, definition)
        if tell is not None:
            tell(f"index {name} built")


def _portions(first: int, end: int, every: int) -> list[tuple[int, int]]:
    step = PORTION * every
    return [(start, min(start + step, end)) for start in range(first, end, step)]


def _say(tell: Tell | None, what: str, written: Sequence[int], wanted: Sequence[int]) -> None:
    if tell is not None and len(wanted) > PORTION:
        tell(f"{len(written):,} of {len(wanted):,} {what} written")


async def _write(pool: Pool, statement: str, *values: object) -> None:
    """Without a look at foreign keys: the rows fit by their making."""
    await unlimited(pool, statement, *values, first="SET LOCAL session_replication_role = replica")


async def unlimited(pool: Pool, statement: str, *values: object, first: str = "") -> None:
    """One statement, after `first`, that may take longer than the engine allows any of its own."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(f"SET LOCAL statement_timeout = 0; SET LOCAL transaction_timeout = 0; {first}")
        await connection.execute(statement, *values, timeout=LONG)


async def settle(pool: Pool, *, vacuumed: bool = False) -> None:
    """Statistics and a checkpoint: every measurement starts from the same state.

    `vacuumed`: as what came little by little would be; else that begins when very many rows have come at once.
    """
    async with pool.acquire() as connection:
        await connection.execute("SET statement_timeout = 0")
        await connection.execute(f"{'VACUUM (ANALYZE)' if vacuumed else 'ANALYZE'} {TABLES}", timeout=LONG)
        await connection.execute("CHECKPOINT", timeout=LONG)
        await connection.execute("RESET statement_timeout")
