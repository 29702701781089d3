"""Pausing a cadence and going on, while others enroll, publish and run steps."""

import asyncio
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from uuid_utils.compat import uuid7

from cadence_engine.definitions.load import load
from cadence_engine.domain.enroll import Enrolled, EnrollRequest, Refusal, Refused
from cadence_engine.domain.events import Cause
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.apply_definition import Created, NewVersion, Proposed, Unchanged, apply_definitions
from cadence_engine.handlers.cadence_status import Flagged, move_unsettled, pause_cadence, resume_cadence
from cadence_engine.handlers.due_steps import run_due_steps
from cadence_engine.handlers.enroll import enroll
from cadence_engine.storage import cadences
from cadence_engine.storage.connection import Pool
from cadence_engine.storage.database import UnitOfWork, run, unit_of_work
from tests.cli.conftest import Cli, Known

GREETING = """
key: greeting
name: Greeting
trigger: {event: contact.created}
steps: [{key: hello, wait: P1D, template: {id: hello_1}}]
"""
MANY = 2300
POLICY = Policy()


def proposed(text: str = GREETING) -> Proposed:
    (loaded,) = load([("greeting.yaml", text)], "acme")
    return Proposed("acme", loaded.definition, uuid7())


async def publish(pool: Pool, text: str = GREETING) -> UUID:
    ((outcome,), _) = await run(pool, lambda unit: apply_definitions(unit, [proposed(text)], "olga"))
    return outcome.version.cadence_id


def request(unit: UnitOfWork, cadence_id: UUID, contact_id: str) -> EnrollRequest:
    return EnrollRequest("acme", cadence_id, contact_id, "api", unit.now, Cause(actor="olga"), uuid7())


async def enroll_all(pool: Pool, cadence_id: UUID, *contact_ids: str) -> None:
    await run(pool, lambda unit: enroll(unit, [request(unit, cadence_id, each) for each in contact_ids], POLICY))


async def move_all(pool: Pool) -> None:
    """What a worker's upkeep does."""
    while (await run(pool, lambda unit: move_unsettled(unit, 10)))[0] is not None:
        pass


async def waiting_for_a_lock(pool: Pool, sessions: int = 1) -> None:
    """Returns when that many sessions of this database wait for another's lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while await pool.fetchval(waiting) < sessions:  # noqa: ASYNC110  # the server tells nobody
        await asyncio.sleep(0.01)


async def test_a_pause_keeps_each_rest_of_the_wait_and_a_resumption_does_not_burst(
    cli: Cli, known: Known, pool: Pool
) -> None:
    contacts = [f"c{n:05}" for n in range(MANY)]
    await known(*contacts)
    cadence_id = await publish(pool)
    await enroll_all(pool, cadence_id, *contacts)
    await pool.execute(
        """
        UPDATE cadence_enrollments SET status = 'parked', park_reason = 'unreachable', park_detail = 'no phone'
        WHERE contact_id = 'c00007'
        """
    )
    await pool.execute(
        "UPDATE cadence_enrollments SET next_run_at = now() - interval '1 hour' WHERE contact_id = 'c00001'"
    )

    paused = await cli.fine("pause", "greeting", "--reason", "wrong text")
    assert paused.out == (
        f"greeting is paused: nothing of it runs any more; {MANY - 1} enrollments keep the rest of their wait\n"
    )
    left = await pool.fetch(
        "SELECT contact_id, status, wait_left, paused_by FROM cadence_enrollments ORDER BY contact_id"
    )
    assert {row["status"] for row in left} == {"paused", "parked"}
    assert [row["contact_id"] for row in left if row["status"] == "parked"] == ["c00007"]
    assert left[1]["wait_left"] == timedelta()
    waits = [row["wait_left"] for row in left if row["wait_left"]]
    assert len(waits) == MANY - 2
    assert all(timedelta(hours=23) < wait <= timedelta(days=1) for wait in waits)
    events = await pool.fetch("SELECT data FROM cadence_events WHERE type = 'cadence.enrollment.paused'")
    assert len(events) == MANY - 1
    assert events[0]["data"]["reason"] == "wrong text"
    assert events[0]["data"]["cause"] == {"actor": "olga"}
    again = (await cli.fine("pause", "greeting", "--reason", "sale")).out
    assert again.startswith("greeting is paused already, by olga since ")
    assert again.endswith(": wrong text; that stays as it is\n")
    assert "# paused by olga: wrong text" in (await cli.fine("show", "greeting")).out

    resumed = await cli.fine("resume", "greeting")
    assert resumed.out == f"greeting is active again; {MANY - 1} enrollments go on with the rest of their wait\n"
    rows = await pool.fetch("SELECT status, next_run_at - now() AS wait FROM cadence_enrollments ORDER BY contact_id")
    assert sum(row["status"] == "active" for row in rows) == MANY - 1
    due_now = [row for row in rows if row["wait"] < timedelta(hours=23)]
    assert len(due_now) == 1
    assert (await cli.fine("list", "--json")).json[0]["counts"] == {"active": MANY - 1, "parked": 1}


async def test_a_paused_cadence_refuses_to_enroll_at_once(cli: Cli, known: Known, pool: Pool) -> None:
    await known("ana")
    await publish(pool)
    await cli.fine("pause", "greeting")
    said = await cli("enroll", "greeting", "ana")
    assert said.code == 1
    assert (
        "(cadence_not_active): the cadence is not active: it is paused or archived; see `cadence-engine show`"
        in said.err
    )
    assert (await cli.fine("apply", "-", stdin=GREETING.replace("P1D", "P2D"))).out == (
        "acme/greeting: version 2, paused as before; enrollments in flight stay on theirs\n"
    )
    assert (await cli.fine("resume", "greeting")).code == 0
    assert (await cli.fine("enroll", "greeting", "ana")).out.startswith("enrolled: ")


async def test_no_step_runs_from_the_flag_on_and_none_is_lost(known: Known, pool: Pool) -> None:
    await known("ana")
    cadence_id = await publish(pool, GREETING.replace("P1D", "PT0S"))
    await enroll_all(pool, cadence_id, "ana")

    async def steps_run() -> int:
        await pool.execute("UPDATE reply_gate SET watermark = clock_timestamp()")
        return (await run(pool, lambda unit: run_due_steps(unit, POLICY)))[0].sent

    await run(pool, lambda unit: pause_cadence(unit, "acme", "greeting", actor="olga", reason=None))
    assert await steps_run() == 0
    await move_all(pool)
    assert await steps_run() == 0
    await run(pool, lambda unit: resume_cadence(unit, "acme", "greeting", actor="olga", reason=None))
    await move_all(pool)
    assert await steps_run() == 1
    assert await steps_run() == 0


async def test_an_unknown_cadence_is_not_paused(cli: Cli, pool: Pool) -> None:
    await publish(pool)
    for command in ("pause", "resume", "show"):
        said = await cli(command, "greting")
        assert (said.code, said.err) == (1, "acme has no cadence `greting`; it has greeting\n")


async def test_a_pause_waits_for_an_enrollment_under_way_and_takes_it_along(known: Known, pool: Pool) -> None:
    await known("ana", "bob")
    cadence_id = await publish(pool)
    async with unit_of_work(pool) as unit:
        (outcome,) = await enroll(unit, [request(unit, cadence_id, "ana")], POLICY)
        assert isinstance(outcome, Enrolled)
        pausing = asyncio.create_task(
            run(pool, lambda other: pause_cadence(other, "acme", "greeting", actor="olga", reason=None))
        )
        await waiting_for_a_lock(pool)
    assert isinstance((await pausing)[0], Flagged)
    ((refused,), _) = await run(pool, lambda unit: enroll(unit, [request(unit, cadence_id, "bob")], POLICY))
    assert refused == Refused(Refusal.CADENCE_NOT_ACTIVE)
    await move_all(pool)
    assert await pool.fetchval("SELECT status FROM cadence_enrollments WHERE contact_id = 'ana'") == "paused"
    assert await pool.fetchval("SELECT settled FROM cadences")


async def test_resuming_first_finishes_a_pause_that_was_interrupted(cli: Cli, known: Known, pool: Pool) -> None:
    await known("ana", "bob")
    cadence_id = await publish(pool)
    await enroll_all(pool, cadence_id, "ana", "bob")
    await run(pool, lambda unit: pause_cadence(unit, "acme", "greeting", actor="olga", reason=None))
    # An hour ago, since when nobody moved the enrollments; both were due half an hour after that.
    await pool.execute("UPDATE cadences SET status_at = now() - interval '1 hour'")
    await pool.execute("UPDATE cadence_enrollments SET next_run_at = now() - interval '30 minutes'")
    assert (await cli.fine("resume", "greeting")).out.startswith("greeting is active again; 2 enrollments")
    waits = await pool.fetch("SELECT next_run_at - now() AS wait FROM cadence_enrollments")
    assert all(timedelta(minutes=29) < row["wait"] <= timedelta(minutes=30) for row in waits)


async def test_a_status_set_again_stops_who_still_moves_for_the_old_one(known: Known, pool: Pool) -> None:
    await known("ana")
    cadence_id = await publish(pool)
    await enroll_all(pool, cadence_id, "ana")
    flagged, _ = await run(pool, lambda unit: pause_cadence(unit, "acme", "greeting", actor="olga", reason=None))
    assert isinstance(flagged, Flagged)
    await move_all(pool)
    await run(pool, lambda unit: resume_cadence(unit, "acme", "greeting", actor="olga", reason=None))
    early, _ = await run(pool, lambda unit: move_unsettled(unit, 10, cadence=flagged.cadence))
    assert early is not None
    assert early.superseded
    assert not await pool.fetchval("SELECT settled FROM cadences")
    await move_all(pool)
    late, _ = await run(pool, lambda unit: move_unsettled(unit, 10, cadence=flagged.cadence))
    assert late is not None
    assert late.superseded
    assert await pool.fetchval("SELECT status FROM cadence_enrollments") == "active"


async def test_two_who_publish_the_same_key_make_one_cadence(pool: Pool) -> None:
    outcomes = await asyncio.gather(
        *(run(pool, lambda unit: apply_definitions(unit, [proposed()], "olga")) for _ in range(4))
    )
    kinds = sorted(type(outcome).__name__ for (outcome,), _ in outcomes)
    assert kinds == ["Created", "Unchanged", "Unchanged", "Unchanged"]
    changed = GREETING.replace("P1D", "P2D")
    outcomes = await asyncio.gather(
        *(run(pool, lambda unit: apply_definitions(unit, [proposed(changed)], "olga")) for _ in range(4))
    )
    assert sorted(type(outcome) is NewVersion for (outcome,), _ in outcomes) == [False, False, False, True]
    assert all(isinstance(outcome, NewVersion | Unchanged | Created) for (outcome,), _ in outcomes)
    assert await pool.fetchval("SELECT array_agg(version ORDER BY version) FROM cadence_versions") == [1, 2]


async def test_a_cadence_is_found_while_a_version_of_it_is_being_published(pool: Pool) -> None:
    await publish(pool)
    async with unit_of_work(pool) as unit:
        await apply_definitions(unit, [proposed(GREETING.replace("P1D", "P2D"))], "olga")
        finding = asyncio.create_task(
            run(pool, lambda other: cadences.triggered_by(other.connection, ["acme"], "contact.created"))
        )
        looking = asyncio.create_task(run(pool, lambda other: cadences.find(other.connection, "acme", key="greeting")))
        await waiting_for_a_lock(pool, sessions=2)
    (version,) = (await finding)[0]
    found = (await looking)[0]
    assert found is not None
    assert (version.version, found[0].version, found[1]) == (2, 2, "active")


async def test_a_published_version_never_changes(pool: Pool) -> None:
    await publish(pool)
    with pytest.raises(asyncpg.RestrictViolationError, match="immutable: publish a new one"):
        await pool.execute("UPDATE cadence_versions SET version = 2")
