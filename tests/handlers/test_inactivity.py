"""The detector: once per company and local day, the longest silent first."""

import asyncio
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cadence_engine.domain.cadence import Reentry, ReentryRule, Wait
from cadence_engine.domain.company import CompanyChange
from cadence_engine.handlers.detect_inactive import companies_due
from cadence_engine.storage import companies
from cadence_engine.storage.database import UnitOfWork, run
from tests.handlers.conftest import ACME, Stage, definition

NEW_ACTIVITY = Reentry(ReentryRule.NEW_ACTIVITY)


async def test_only_those_silent_for_long_enough_over_all_conversations_are_enrolled(stage: Stage) -> None:
    await _reactivation(stage)
    await _hour_has_come(stage)
    await _silent(stage, "old", days=30)
    await _silent(stage, "edge", days=20)
    await _silent(stage, "one-fresh-conversation", days=40, conversationId="c1")
    await _silent(stage, "one-fresh-conversation", days=1, conversationId="c2", direction="outbound")
    await stage.hears("contact.created", contactId="never-wrote")
    assert await stage.detect() == 1
    (started,) = await stage.log("cadence.enrollment.started")
    assert (started["contactId"], started["trigger"]) == ("old", "inactivity")


async def test_once_per_day_whatever_the_number_of_workers(stage: Stage) -> None:
    await _reactivation(stage)
    await _hour_has_come(stage)
    for n in range(20):
        await _silent(stage, f"c{n}", days=30)
    assert sum(await asyncio.gather(*(stage.detect() for _ in range(6)))) == 20
    await _silent(stage, "late", days=50)
    assert await stage.detect() == 0


async def test_the_limit_is_per_company_and_day_and_the_longest_silent_go_first(stage: Stage) -> None:
    await _reactivation(stage)
    await _hour_has_come(stage, limit=2)
    for days in (30, 50, 40):
        await _silent(stage, f"silent-{days}", days=days)
    assert await stage.detect() == 2
    started = [event["contactId"] for event in await stage.log("cadence.enrollment.started")]
    assert started == ["silent-50", "silent-40"]


async def test_every_inactivity_cadence_of_the_company_with_its_own_days(stage: Stage) -> None:
    await _reactivation(stage, "soon", after=Wait(days=7))
    await _reactivation(stage, "late", after=Wait(days=60))
    await _reactivation(stage, "company-days")
    await _hour_has_come(stage, inactive_days=10)
    await _silent(stage, "ana", days=15)
    assert await stage.detect() == 2
    started = {event["cadenceKey"] for event in await stage.log("cadence.enrollment.started")}
    assert started == {"soon", "company-days"}


async def test_who_finished_and_stays_silent_is_not_enrolled_again(stage: Stage) -> None:
    await _reactivation(stage, waits=[Wait()])
    await _hour_has_come(stage)
    await _silent(stage, "ana", days=30, phone="+5511999990000")
    assert await stage.detect() == 1
    await stage.run_due()
    assert await stage.statuses() == ["completed"]
    await _next_day(stage)
    # The echo of our own send, long ago by now, is no sign of life.
    await _silent(stage, "ana", days=22, direction="outbound")
    assert await stage.detect() == 0


async def test_it_waits_for_the_hour_and_for_the_watermark(stage: Stage) -> None:
    await _reactivation(stage)
    await _silent(stage, "ana", days=30)
    now = await stage.now()
    await _hour_has_come(stage)
    await stage.pool.execute("UPDATE reply_gate SET watermark = $1", now - timedelta(hours=25))
    assert (await run(stage.pool, lambda unit: companies_due(unit, stage.policy)))[0] == []
    assert await stage.detect() == 1


async def test_one_company_without_a_usable_zone_does_not_stop_the_others(stage: Stage) -> None:
    await _reactivation(stage)
    await _hour_has_come(stage)
    await _silent(stage, "ana", days=30)
    await stage.publish(definition(key="reactivation", trigger="inactivity"), company="broken")
    await stage.pool.execute("UPDATE companies SET time_zone = 'Mars/Olympus' WHERE company_id = 'broken'")
    assert await stage.detect() == 1


async def _reactivation(
    stage: Stage, key: str = "reactivation", *, after: Wait | None = None, waits: list[Wait] | None = None
) -> None:
    waits = waits or [Wait(days=1)]
    await stage.publish(definition(key=key, trigger="inactivity", after=after, waits=waits, reentry=NEW_ACTIVITY))


async def _silent(stage: Stage, contact: str, *, days: int, phone: str | None = None, **more: str) -> None:
    at = await stage.now() - timedelta(days=days)
    if phone:
        await stage.hears("contact.created", at=at, contactId=contact, phone=phone)
    await stage.hears("message.received", at=at, contactId=contact, **more)


async def _hour_has_come(stage: Stage, *, limit: int = 100, inactive_days: int = 21) -> None:
    """Let the company live where it is between 09:00 and midnight now."""
    now = await stage.now()
    zone = next(
        zone for zone in ("UTC", "Asia/Tokyo", "America/Los_Angeles") if 10 <= now.astimezone(ZoneInfo(zone)).hour <= 22
    )
    change = CompanyChange(time_zone=zone, inactivity_limit=limit, inactive_days=inactive_days)

    async def work(unit: UnitOfWork) -> None:
        known = await companies.lock(unit.connection, [ACME])
        await companies.save(unit.connection, [change.applied(known[ACME], datetime.now(UTC))])

    await run(stage.pool, work)


async def _next_day(stage: Stage) -> None:
    await stage.pool.execute("UPDATE detector_runs SET local_date = local_date - 1")
    await stage.pool.execute(
        "UPDATE cadence_enrollments SET started_at = started_at - '1d'::interval, ended_at = ended_at - '1d'::interval"
    )
