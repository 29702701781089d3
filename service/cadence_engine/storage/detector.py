"""The detector's bookkeeping: which companies it runs for, how far today's run has come, who is silent."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from cadence_engine.domain.cadence import INACTIVITY, CadenceVersion
from cadence_engine.domain.company import Company
from cadence_engine.storage import cadences, companies
from cadence_engine.storage.connection import Connection

Silence = tuple[datetime, str]
"""(time of the newest message, contact id): the order in which a run goes through its contacts."""


@dataclass(frozen=True, slots=True)
class Run:
    """A company's run of a local day, locked. `after` is the last contact it has looked at."""

    enrolled: int
    after: Silence | None


async def companies_with_detector(connection: Connection) -> list[tuple[Company, date | None]]:
    """Companies with an active inactivity cadence, and the local date of their newest finished run."""
    rows = await connection.fetch(
        """
        SELECT company_id, newest.local_date
        FROM (SELECT DISTINCT company_id FROM cadences WHERE trigger_event = $1 AND status = 'active') AS with_detector
        LEFT JOIN LATERAL (
            SELECT local_date FROM detector_runs AS run
            WHERE run.company_id = with_detector.company_id AND finished_at IS NOT NULL
            ORDER BY local_date DESC LIMIT 1
        ) AS newest ON true
        ORDER BY company_id
        """,
        INACTIVITY,
    )
    known = await companies.load(connection, [row[0] for row in rows])
    return [(known[row[0]], row[1]) for row in rows]


async def take(connection: Connection, company_id: str, local_date: date) -> Run | None:
    """Today's run, locked; None where it is finished or another worker is at it."""
    await connection.execute(
        "INSERT INTO detector_runs (company_id, local_date) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        company_id,
        local_date,
    )
    row = await connection.fetchrow(
        """
        SELECT enrolled, after_silence, after_contact FROM detector_runs
        WHERE company_id = $1 AND local_date = $2 AND finished_at IS NULL
        FOR UPDATE SKIP LOCKED
        """,
        company_id,
        local_date,
    )
    if row is None:
        return None
    return Run(row[0], None if row[1] is None else (row[1], row[2]))


async def forget(connection: Connection, older_than: timedelta, rows: int) -> int:
    """Delete up to `rows` runs of days that are longer ago; answers how many."""
    status = await connection.execute(
        """
        DELETE FROM detector_runs WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM detector_runs WHERE local_date < (now() - $1::interval)::date LIMIT $2
        ))
        """,
        older_than,
        rows,
    )
    return int(status.rpartition(" ")[2])


async def inactivity_cadences(connection: Connection, company_id: str) -> list[CadenceVersion]:
    """What the company's detector may enroll in. Not locked: enrolling looks again."""
    rows = await connection.fetch(
        """
        SELECT company_id, cadence_id, current_version FROM cadences
        WHERE company_id = $1 AND trigger_event = $2 AND status = 'active' ORDER BY cadence_id
        """,
        company_id,
        INACTIVITY,
    )
    return list((await cadences.versions(connection, [(row[0], row[1], row[2]) for row in rows])).values())


async def silent(
    connection: Connection, company_id: str, since: datetime, after: Silence | None, rows: int
) -> list[Silence]:
    """Up to `rows` reachable contacts without a message after `since`, behind `after`, the longest silent first."""
    fetched = await connection.fetch(
        """
        SELECT last_message_at, contact_id FROM contacts
        WHERE company_id = $1 AND last_message_at <= $2
            AND ($3::timestamptz IS NULL OR (last_message_at, contact_id) > ($3, $4))
            AND NOT opted_out AND NOT erased
        ORDER BY last_message_at, contact_id LIMIT $5
        """,
        company_id,
        since,
        *(after or (None, None)),
        rows,
    )
    return [(row[0], row[1]) for row in fetched]


async def advance(
    connection: Connection,
    company_id: str,
    local_date: date,
    *,
    enrolled: int,
    after: Silence | None,
    finished: bool,
) -> None:
    """Note how far a locked run has come."""
    await connection.execute(
        """
        UPDATE detector_runs SET
            enrolled = enrolled + $3,
            after_silence = coalesce($4, after_silence),
            after_contact = coalesce($5, after_contact),
            finished_at = CASE WHEN $6 THEN clock_timestamp() END
        WHERE company_id = $1 AND local_date = $2
        """,
        company_id,
        local_date,
        enrolled,
        *(after or (None, None)),
        finished,
    )
