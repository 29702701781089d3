"""The detector's loop: one company's fault is that company's alone."""

import asyncio
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from structlog.testing import capture_logs

from cadence_engine.scheduling.inactivity import Inactivity
from tests.handlers.conftest import Stage, definition

LONG_AGO = timedelta(days=40)


async def test_a_company_that_fails_is_told_and_the_others_are_enrolled(stage: Stage) -> None:
    for company in ("acme", "broken", "zeta"):
        await stage.publish(definition(key="reactivation", trigger="inactivity"), company=company)
        await stage.hears("message.received", at=await stage.now() - LONG_AGO, companyId=company, contactId="ana")
    await stage.pool.execute("UPDATE companies SET time_zone = $1", _where_it_is_afternoon())
    # A definition that nobody can read, as after a bad restore; what has been read before is remembered per cadence.
    await stage.pool.execute("ALTER TABLE cadence_versions DISABLE TRIGGER cadence_versions_immutable")
    await stage.pool.execute("UPDATE cadence_versions SET definition = '{}' WHERE company_id = 'broken'")
    await stage.pool.execute("UPDATE reply_gate SET watermark = clock_timestamp()")

    async def nobody(_: object) -> None: ...

    with capture_logs() as logs:
        await Inactivity(stage.pool, stage.policy, nobody, asyncio.Event()).run_once()
    failed = [line["company_id"] for line in logs if line["event"] == "detection_failed"]
    assert failed == ["broken"]
    assert [await stage.statuses("ana", company) for company in ("acme", "broken", "zeta")] == [
        ["active"],
        [],
        ["active"],
    ]


def _where_it_is_afternoon() -> str:
    zones = ("UTC", "Asia/Tokyo", "America/Los_Angeles")
    return next(zone for zone in zones if 10 <= datetime.now(UTC).astimezone(ZoneInfo(zone)).hour <= 22)
