"""Companies: their settings and what is known of them."""

from collections.abc import Collection, Sequence

import asyncpg

from cadence_engine.domain.company import Company
from cadence_engine.domain.known import Known
from cadence_engine.storage.connection import Connection

COLUMNS = """company_id, name, name_at, time_zone, time_zone_at, locale, locale_at,
    inactive_days, inactivity_limit, detector_hour, revision"""


async def ensure(connection: Connection, company_ids: Collection[str]) -> None:
    """Make those that are seen for the first time, with the defaults."""
    await connection.execute(
        "INSERT INTO companies (company_id) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", sorted(set(company_ids))
    )


async def load(connection: Connection, company_ids: Collection[str]) -> dict[str, Company]:
    """As they are; unknown ones are left out."""
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM companies WHERE company_id = ANY($1)",  # noqa: S608  # a constant of this module
        list(set(company_ids)),
    )
    return {row["company_id"]: _company(row) for row in rows}


async def lock(connection: Connection, company_ids: Collection[str]) -> dict[str, Company]:
    """As they are, held against every other change until the transaction ends."""
    await ensure(connection, company_ids)
    rows = await connection.fetch(
        f"""
        SELECT {COLUMNS} FROM companies WHERE company_id = ANY($1) ORDER BY company_id FOR NO KEY UPDATE
        """,  # noqa: S608  # a constant of this module
        list(set(company_ids)),
    )
    return {row["company_id"]: _company(row) for row in rows}


async def save(connection: Connection, companies: Sequence[Company]) -> None:
    """Write changed companies; each must be locked."""
    await connection.executemany(
        """
        UPDATE companies SET name = $2, name_at = $3, time_zone = $4, time_zone_at = $5, locale = $6, locale_at = $7,
            inactive_days = $8, inactivity_limit = $9, detector_hour = $10, revision = revision + 1
        WHERE company_id = $1
        """,
        [
            (
                company.company_id,
                company.name.value,
                company.name.at,
                company.time_zone.value,
                company.time_zone.at,
                company.locale.value,
                company.locale.at,
                company.inactive_days,
                company.inactivity_limit,
                company.detector_hour,
            )
            for company in companies
        ],
    )


def _company(row: asyncpg.Record) -> Company:
    return Company(
        company_id=row["company_id"],
        name=Known(row["name"], row["name_at"]),
        time_zone=Known(row["time_zone"], row["time_zone_at"]),
        locale=Known(row["locale"], row["locale_at"]),
        inactive_days=row["inactive_days"],
        inactivity_limit=row["inactivity_limit"],
        detector_hour=row["detector_hour"],
        revision=row["revision"],
    )
