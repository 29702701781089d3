"""The sweep needs Postgres alone, finds whatever is overdue, and says why it waits."""

from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest
from structlog.testing import capture_logs

from cadence_engine.domain.cadence import Wait
from cadence_engine.handlers.halt import halt, unhalt
from cadence_engine.health import Readiness
from cadence_engine.scheduling.due_steps import DueSteps
from cadence_engine.scheduling.sweep import Sweep
from cadence_engine.storage.database import run
from tests.handlers.conftest import definition
from tests.scheduling.conftest import Desk, eventually

road_is_clear = pytest.mark.usefixtures("road_is_clear")


async def test_before_the_consumer_ever_ran_steps_are_held(desk: Desk) -> None:
    await desk.due(1, after=timedelta(minutes=-10))
    readiness = Readiness()
    await _sweep(desk, readiness).run_once()
    assert readiness.degraded == {"steps": "held: replies_behind"}
    assert await desk.sent() == 0


@road_is_clear
async def test_everything_overdue_runs_batch_by_batch(desk: Desk) -> None:
    await desk.due(25, after=timedelta(minutes=-10))
    sweep = _sweep(desk, Readiness(), claim_rows=10)
    assert [await sweep.run_once() for _ in range(3)] == [True, True, False]
    assert await desk.sent() == 25
    assert await sweep.run_once() is False
    assert await desk.sent() == 25


@road_is_clear
async def test_nobody_waits_for_the_end_of_anothers_backlog(desk: Desk) -> None:
    await desk.due(100, after=timedelta(minutes=-10))
    for company in ("globex", "initech"):
        await desk.due(
            3, after=timedelta(minutes=-1), version=await desk.stage.publish(definition(waits=[Wait()]), company)
        )
    sweep = _sweep(desk, Readiness(), claim_rows=10)
    for _ in range(2):
        assert await sweep.run_once() is True
    assert [await desk.sent(company) for company in ("acme", "globex", "initech")] == [13, 3, 3]
    while await sweep.run_once():
        pass
    assert await desk.sent() == 106


@road_is_clear
async def test_halted_companies_are_told_of_and_the_others_steps_run(desk: Desk) -> None:
    await desk.due(3, after=timedelta(minutes=-10))
    theirs = await desk.stage.publish(definition(waits=[Wait()]), "globex")
    await desk.due(3, after=timedelta(minutes=-1), version=theirs)
    readiness = Readiness()
    sweep = _sweep(desk, readiness)
    await run(desk.pool, lambda unit: halt(unit, "acme", actor="olga", reason="wrong template"))
    while await sweep.run_once():
        pass
    assert [await desk.sent(company) for company in ("acme", "globex")] == [0, 3]
    assert readiness.degraded == {"halts": "halted companies: 1; see `cadence-engine halts`"}
    await run(desk.pool, lambda unit: unhalt(unit, "acme", actor="olga", reason=None))
    await _swept(desk, sweep, sent=6)
    assert readiness.degraded == {}


async def test_while_the_relay_cannot_keep_up_a_backlog_waits_for_it(desk: Desk) -> None:
    await desk.due(60, after=timedelta(minutes=-10))
    await desk.pool.execute("UPDATE reply_gate SET watermark = clock_timestamp()")
    await desk.pool.execute("INSERT INTO event_batches (logged_at) VALUES (clock_timestamp() - interval '2 seconds')")
    an_hour = timedelta(hours=1)
    sweep = _sweep(desk, Readiness(), claim_rows=20, gate_max_lag=an_hour, relay_max_lag=an_hour)
    for _ in range(5):
        await sweep.run_once()
    assert await desk.sent() == 20 + 4 * 2
    await desk.pool.execute("UPDATE event_batches SET published_at = now()")
    while await sweep.run_once():
        await desk.pool.execute("UPDATE event_batches SET published_at = now() WHERE published_at IS NULL")
    assert await desk.sent() == 60


@road_is_clear
async def test_what_falls_behind_amid_a_backlog_is_found_soon(desk: Desk) -> None:
    await desk.due(60, after=timedelta(minutes=-10))
    sweep = _sweep(desk, Readiness(), claim_rows=20)
    assert await sweep.run_once() is True
    await desk.due(1, after=timedelta(minutes=-20))
    await _swept(desk, sweep, sent=61)


@road_is_clear
async def test_what_is_due_at_once_is_run_by_the_next_sweep_though_it_came_late(desk: Desk) -> None:
    sweep = _sweep(desk, Readiness())
    await sweep.run_once()
    await desk.due(1, after=timedelta(seconds=-1))
    await sweep.run_once()
    assert await desk.sent() == 1


@road_is_clear
async def test_a_look_back_that_takes_too_long_does_not_hold_up_what_is_due_now(desk: Desk) -> None:
    sweep = _sweep(desk, Readiness())
    await sweep.run_once()
    await desk.due(1, after=timedelta(minutes=-20))
    await desk.pool.execute(GIVE_UP_ON_ONE)

    async def gives_up() -> bool:
        try:
            await sweep.run_once()
        except asyncpg.QueryCanceledError:
            return True
        return False

    await eventually(gives_up, bool)
    await desk.due(1, after=timedelta(seconds=-1))
    await sweep.run_once()
    assert await desk.sent() == 1


@road_is_clear
async def test_what_is_not_due_stays(desk: Desk) -> None:
    await desk.due(1, after=timedelta(minutes=1))
    await _sweep(desk, Readiness()).run_once()
    assert await desk.sent() == 0


@road_is_clear
async def test_a_held_gate_is_told_once_with_its_reason_and_once_that_it_is_over(desk: Desk) -> None:
    await desk.due(1, after=timedelta(minutes=-10))
    readiness = Readiness()
    sweep = _sweep(desk, readiness, gate_max_lag=timedelta())  # no watermark is ever near enough
    with capture_logs() as logs:
        for _ in range(3):
            await sweep.run_once()
    assert [(line["event"], line["reason"]) for line in logs] == [("steps_held", "replies_behind")]
    assert readiness.ready
    assert readiness.degraded == {"steps": "held: replies_behind"}
    assert await desk.sent() == 0

    sweep.steps = DueSteps(desk.pool, desk.stage.policy)
    with capture_logs() as logs:
        for _ in range(3):
            await sweep.run_once()
    assert [line["event"] for line in logs] == ["steps_resumed"]
    assert readiness.degraded == {}
    assert await desk.sent() == 1


@road_is_clear
async def test_a_batch_that_fails_as_a_whole_is_tried_smaller_until_it_passes(desk: Desk) -> None:
    await desk.pool.execute(REFUSE_LARGE_BATCHES)
    await desk.due(10, after=timedelta(minutes=-10))
    sweep = _sweep(desk, Readiness(), claim_rows=10)
    assert await failures_until(desk, sweep, sent=10) >= 1


@road_is_clear
@pytest.mark.parametrize("table", ["cadence_enrollments", "cadence_events"])
async def test_a_row_that_cannot_be_written_is_parked_and_those_behind_it_go_on(desk: Desk, table: str) -> None:
    await desk.due(1, after=timedelta(minutes=-20))
    await desk.due(20, after=timedelta(minutes=-10))
    await desk.pool.execute(REFUSE_ONE.format(table=table))
    sweep = _sweep(desk, Readiness(), claim_rows=100)
    assert await failures_until(desk, sweep, sent=20) == 2
    parked = await desk.pool.fetch("SELECT park_reason, park_detail FROM cadence_enrollments WHERE status = 'parked'")
    assert [row["park_reason"] for row in parked] == ["internal_error"]
    assert "while writing: see step_failed" in parked[0]["park_detail"]
    assert await desk.pool.fetchval("SELECT count(*) FROM cadence_events WHERE type = 'cadence.enrollment.parked'") == 1


async def failures_until(desk: Desk, sweep: Sweep, *, sent: int) -> int:
    """How many batches failed until so many were sent."""
    failures = 0
    while await desk.sent() < sent and failures < 10:
        try:
            await sweep.run_once()
        except asyncpg.RaiseError:
            failures += 1
    assert await desk.sent() == sent
    return failures


# The longest due is the one; that it is parked is written.
REFUSE_ONE = """
    CREATE TABLE refused AS SELECT enrollment_id FROM cadence_enrollments ORDER BY next_run_at LIMIT 1;
    CREATE FUNCTION refuse_one() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.enrollment_id = (SELECT enrollment_id FROM refused) AND to_jsonb(NEW)::text !~ '[".]parked"'
        THEN RAISE EXCEPTION 'not this one'; END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER refuse_one BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_one();
"""

# As if its turn took longer than a statement may.
GIVE_UP_ON_ONE = """
    CREATE TABLE endless AS SELECT enrollment_id FROM cadence_enrollments ORDER BY next_run_at LIMIT 1;
    CREATE FUNCTION give_up() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.enrollment_id = (SELECT enrollment_id FROM endless) THEN RAISE query_canceled; END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER give_up BEFORE UPDATE ON cadence_enrollments FOR EACH ROW EXECUTE FUNCTION give_up();
"""

REFUSE_LARGE_BATCHES = """
    CREATE FUNCTION refuse_large_batches() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (SELECT count(*) FROM logged) > 9 THEN RAISE EXCEPTION 'too many at once'; END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER refuse_large_batches AFTER INSERT ON cadence_events REFERENCING NEW TABLE AS logged
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_large_batches();
"""


async def _swept(desk: Desk, sweep: Sweep, *, sent: int) -> None:
    """Sweeps until so many are sent: what has long been due is looked for once in a while."""

    async def look() -> int:
        await sweep.run_once()
        return await desk.sent()

    await eventually(look, lambda seen: seen == sent)


def _sweep(desk: Desk, readiness: Readiness, **changed: object) -> Sweep:
    async def nobody(_: object) -> None: ...

    return Sweep(DueSteps(desk.pool, replace(desk.stage.policy, **changed)), nobody, readiness)  # type: ignore[arg-type]
