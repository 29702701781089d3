"""What a simulation says is what the worker does: the same definition, run by the handlers with the clock moved."""

import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from cadence_engine.domain.cadence import Definition, Lookup, Scalar, Source, Wait
from cadence_engine.domain.enroll import Refusal
from cadence_engine.domain.enrollment import ParkReason
from cadence_engine.domain.inactivity import next_run
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers import forecast as forecasting
from cadence_engine.handlers.forecast import Forecast
from cadence_engine.handlers.simulate import Timeline, company_of, proposed, published, simulate_contacts
from cadence_engine.storage.database import connect
from tests.domain.histories.drawn import STARTS, ZONES, definitions
from tests.handlers.conftest import ACME, NAME, Stage, definition

PHONE = "+5511999990000"
PATIENT = Policy(relay_max_lag=timedelta(days=36500))  # the log's own times stay those of the real clock

# Names without a schema are looked up in this one first, the server's own functions included.
MOVABLE_CLOCK = """
    CREATE SCHEMA moved;
    CREATE TABLE moved.clock (now timestamptz NOT NULL);
    INSERT INTO moved.clock VALUES (now());
    CREATE FUNCTION moved.now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT now FROM moved.clock';
    CREATE FUNCTION moved.clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT now FROM moved.clock';
"""


@dataclass
class MovedStage(Stage):
    """A stage whose database has the time that a test gives it."""

    async def move_to(self, now: datetime) -> None:
        await self.pool.execute("UPDATE moved.clock SET now = $1", now)

    async def simulate(
        self, key: str, contact_id: str, start: datetime, context: Mapping[str, Scalar] | None = None
    ) -> Timeline:
        async with self.pool.acquire() as connection, connection.transaction(readonly=True):
            plan = await published(connection, ACME, key)
            assert plan is not None
            (found,) = await simulate_contacts(connection, plan, [contact_id], context or {}, start, self.policy)
            return found


@pytest_asyncio.fixture
async def moved(database_url: str) -> AsyncIterator[MovedStage]:
    name = database_url.rpartition("/")[2]
    connection = await asyncpg.connect(database_url)
    await connection.execute(MOVABLE_CLOCK)
    await connection.execute(f'ALTER DATABASE "{name}" SET search_path = moved, pg_catalog, public')
    await connection.close()
    pool = await connect(database_url, process="test", size=4)
    yield MovedStage(pool, PATIENT)
    await pool.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cadence=definitions("upsell"),
    start=STARTS,
    zone=ZONES,
    company_zone=ZONES,
    name=some.sampled_from(["Ana", None]),
    phone=some.sampled_from([PHONE, PHONE, None]),
    locale=some.sampled_from(["pt-BR", None]),
    product=some.sampled_from(["pro", "pro", "starter", None]),
)
async def test_a_simulation_is_what_the_worker_does(
    moved: MovedStage,
    cadence: Definition,
    start: datetime,
    zone: str | None,
    company_zone: str | None,
    name: str | None,
    phone: str | None,
    locale: str | None,
    product: str | None,
) -> None:
    version = await moved.publish(_renamed(cadence))
    key = version.definition.key
    contact = f"contact-of-{key}"
    await moved.move_to(start)
    await moved.hears("company.updated", timeZone=company_zone)
    await moved.hears("contact.updated", contactId=contact, name=name, phone=phone, timeZone=zone, locale=locale)
    context = {"product": product} if product else {}
    said = await moved.simulate(key, contact, start, context)

    bought = product or _wanted(cadence)
    await moved.hears("purchase.completed", contactId=contact, purchaseId=uuid.uuid4().hex, product=bought)
    done = await _run_to_the_end(moved, key, contact)

    assert _steps_of(said) == done.steps
    assert (said.completes_at, list(said.tags)) == (done.completed_at, done.tags)
    assert (said.refused is not None) == (done.started_at is None)
    # Nobody is in a cadence of another example, whose triggers are the same.
    await moved.pool.execute("UPDATE cadences SET status = 'paused' WHERE key = $1", key)


@dataclass
class Done:
    steps: list[tuple[object, ...]]
    started_at: datetime | None
    completed_at: datetime | None
    tags: list[str]


async def _run_to_the_end(moved: MovedStage, key: str, contact: str) -> Done:
    """Runs each step when it is due, and reads from the log what was done."""
    for _ in range(10):
        due = await moved.pool.fetchval(
            "SELECT next_run_at FROM cadence_enrollments WHERE contact_id = $1 AND status = 'active'", contact
        )
        if due is None:
            break
        await moved.move_to(due)
        assert (await moved.run_due()).claimed == 1
    log = [event for event in await moved.log() if event["contactId"] == contact and event.get("cadenceKey") == key]
    steps: list[tuple[object, ...]] = []
    done = Done(steps, None, None, [])
    for event in log:
        match event["type"]:
            case "whatsapp.send.requested":
                template = event["template"]
                about = (template["id"], template["language"], template["variables"])
                assert event["dueAt"] == event["requestedAt"]
                steps.append((event["stepKey"], _time(event["dueAt"]), *about, None, None))
            case "cadence.enrollment.parked":
                steps.append((_time(event["at"]), event["reason"], event["detail"]))
            case "cadence.enrollment.started":
                done.started_at = _time(event["at"])
            case "cadence.enrollment.completed":
                done.completed_at, done.tags = _time(event["at"]), event["tags"]
    return done


def _steps_of(said: Timeline) -> list[tuple[object, ...]]:
    return [
        (step.key, step.at, step.template, step.language, dict(step.variables), None, None)
        if step.parks is None
        else (step.at, step.parks, step.detail)
        for step in said.steps
    ]


def _time(wire: str) -> datetime:
    return datetime.fromisoformat(wire).astimezone(UTC)


def _wanted(cadence: Definition) -> Any:
    return next((allowed[0] for allowed in cadence.trigger.where.values()), None)


def _renamed(cadence: Definition) -> Definition:
    return replace(cadence, key=f"upsell-{uuid.uuid4().hex}")


async def simulated(stage: Stage, key: str, *contact_ids: str) -> list[Timeline]:
    async with stage.pool.acquire() as connection:
        plan = await published(connection, ACME, key)
        assert plan is not None
        return await simulate_contacts(connection, plan, contact_ids, {}, await stage.now(), stage.policy)


async def test_nothing_is_written_or_locked(stage: Stage) -> None:
    await stage.publish(definition(waits=[Wait(days=1)]))
    await stage.hears("contact.updated", contactId="ana", phone=PHONE)
    async with stage.pool.acquire() as connection, connection.transaction(readonly=True):
        plan = await published(connection, ACME, "onboarding")
        assert plan is not None
        (found,) = await simulate_contacts(connection, plan, ["ana"], {}, await stage.now(), stage.policy)
    assert found.completes_at is not None
    assert await stage.log() == []
    assert await stage.statuses() == []


async def test_who_would_not_start_and_by_which_rule(stage: Stage) -> None:
    await stage.publish(definition(trigger="api", waits=[Wait(days=1)]))
    version = await stage.publish(definition(trigger="api", waits=[Wait(days=1)]))
    for contact in ("ana", "bob"):
        await stage.hears("contact.updated", contactId=contact, phone=PHONE)
    await stage.hears("contact.preferences.changed", contactId="bob", marketing="stop")
    await stage.enroll(version, "ana")

    ana, bob, nobody = await simulated(stage, "onboarding", "ana", "bob", "nobody")

    assert ana.enrolled is not None
    assert (bob.refused, nobody.refused) == (Refusal.OPTED_OUT, Refusal.CONTACT_NOT_FOUND)


async def test_a_step_that_would_park_names_what_it_lacks_and_what_is_behind_it(stage: Stage) -> None:
    product = {"product": Lookup(Source.CONTEXT, "product")}
    await stage.publish(definition(trigger="api", waits=[Wait(), Wait()], variables={**NAME, **product}))
    await stage.hears("contact.updated", contactId="ana", name="Ana", phone=PHONE)

    (ana,) = await simulated(stage, "onboarding", "ana")

    (step,) = ana.steps
    assert (step.parks, ana.completes_at) == (ParkReason.MISSING_VARIABLE, None)
    assert step.detail is not None
    assert "context.product" in step.detail
    (behind,) = ana.ahead
    assert behind.key == "step-2"
    assert behind.obstacle is not None


async def test_an_audience_by_day_and_by_reason(stage: Stage) -> None:
    await stage.publish(definition(trigger="api", waits=[Wait(), Wait(days=2)]))
    for n in range(5):
        await stage.hears("contact.updated", contactId=f"c{n}", phone=PHONE if n else None)
    await stage.hears("contact.preferences.changed", contactId="c4", marketing="stop")
    start = datetime(2027, 3, 1, 12, tzinfo=UTC)

    async with stage.pool.acquire() as connection:
        plan = await published(connection, ACME, "onboarding")
        assert plan is not None
        pages = [["c0", "c1", "c2"], ["c3", "c4", "nobody"]]
        found = [
            dict(each.as_json())
            async for each in forecasting.of_contacts(connection, plan, pages, {}, start, stage.policy)
        ]

    assert [each["contacts"] for each in found] == [3, 6]
    whole = found[-1]
    assert (whole["started"], whole["completed"]) == (4, 3)
    assert whole["refused"] == {"opted_out": 1, "contact_not_found": 1}
    assert whole["parked"] == {"unreachable": 1}
    assert whole["sends"] == {"2027-03-01": {"step-1": 3}, "2027-03-03": {"step-2": 3}}


async def test_the_detectors_audience_is_whom_the_detector_takes(stage: Stage, long_ago: datetime) -> None:
    silent = definition(key="silent", trigger="inactivity", waits=[Wait(days=1)])
    await stage.publish(silent)
    for n in range(6):
        await stage.hears("message.received", contactId=f"c{n}", at=long_ago + timedelta(minutes=n))
    await stage.hears("message.received", contactId="lively")
    await stage.hears("contact.preferences.changed", contactId="c5", marketing="stop")
    await stage.pool.execute("UPDATE companies SET inactivity_limit = 4, detector_hour = 0")

    async def forecast() -> Forecast:
        async with stage.pool.acquire() as connection:
            plan = await proposed(connection, ACME, silent)
            day = next_run(await company_of(connection, ACME), await stage.now(), "UTC")
            return [each async for each in forecasting.of_silent(connection, plan, day, stage.policy)][-1]

    limited = await forecast()
    assert (limited.started, limited.limit) == (4, 4)
    await stage.pool.execute("UPDATE companies SET inactivity_limit = NULL")
    assert ((await forecast()).started, (await forecast()).limit) == (5, None)
    assert await stage.detect() == 5
    assert (await forecast()).enrolled_before == 5
