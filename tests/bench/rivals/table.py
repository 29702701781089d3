"""Where the rivals keep their enrollments: one narrow table beside the engine's contacts, and no log."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from cadence_engine.storage.connection import Pool
from tests.bench.seed import CADENCE, COMPANY_OF_N, CONTACT_OF_N

TABLE: Final = """
    CREATE TABLE rival_enrollments (
        enrollment_id uuid PRIMARY KEY,
        company_id text NOT NULL,
        contact_id text NOT NULL,
        cadence_id uuid NOT NULL,
        cadence_key text NOT NULL,
        version integer NOT NULL,
        status text NOT NULL,
        step_index integer NOT NULL,
        next_run_at timestamptz NOT NULL,
        revision integer NOT NULL,
        process integer NOT NULL
    ) WITH (fillfactor = 85)
"""
DUE_INDEX: Final = (
    "CREATE INDEX rival_enrollments_due ON rival_enrollments (process, next_run_at) WHERE status = 'active'"
)
FILL: Final = f"""
    INSERT INTO rival_enrollments
    SELECT uuidv7(), company_id, {CONTACT_OF_N}, cadence_id, '{CADENCE}', current_version, 'active', 0, $2, 1,
        n % $3::int
    FROM generate_series(0, $1::int - 1) AS n JOIN cadences ON company_id = {COMPANY_OF_N}
    RETURNING enrollment_id
"""  # noqa: S608  # constants of this package
ROW: Final = """
    SELECT e.*, c.name, c.phone FROM rival_enrollments AS e JOIN contacts AS c USING (company_id, contact_id)
"""
ONE: Final = f"{ROW} WHERE e.enrollment_id = $1 AND e.status = 'active'"
DUE: Final = f"""
    {ROW} WHERE e.process = $1 AND e.status = 'active' AND e.next_run_at <= now() ORDER BY e.next_run_at LIMIT 50
"""
ADVANCE: Final = """
    UPDATE rival_enrollments SET step_index = step_index + 1, revision = revision + 1, next_run_at = $2
    WHERE enrollment_id = $1
"""


async def make(pool: Pool) -> None:
    await pool.execute(TABLE)


async def fill(pool: Pool, rows: int, due_at: datetime, *, processes: int) -> Sequence[UUID]:
    """So many enrollments of contacts that are there, dealt out to the processes in turn; answers their ids."""
    ids = [row[0] for row in await pool.fetch(FILL, rows, due_at, processes)]
    await pool.execute("ANALYZE rival_enrollments")
    return ids


async def moved(pool: Pool) -> int:
    """How many are past their first step."""
    count: int = await pool.fetchval("SELECT count(*) FROM rival_enrollments WHERE step_index > 0")
    return count
