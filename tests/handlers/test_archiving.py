"""An archived cadence: nobody enters, whoever was in it is cancelled, and nothing of it runs again unasked."""

from cadence_engine.domain.cadence import Wait
from cadence_engine.domain.enroll import Refusal, Refused
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.handlers.cadence_status import (
    Flagged,
    IsArchived,
    NotArchived,
    NotFound,
    StillMoving,
    archive_cadence,
    move_unsettled,
    pause_cadence,
    resume_cadence,
    unarchive_cadence,
)
from cadence_engine.handlers.unpark import recheck_parked
from cadence_engine.storage.database import run
from tests.handlers.conftest import ACME, NAME, Stage, definition

PHONE = "+5511999990000"
KEY = "onboarding"


async def test_the_flag_holds_before_any_enrollment_is_cancelled(stage: Stage) -> None:
    version = await stage.publish(definition())
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    await _archive(stage)
    assert (await stage.run_due()).claimed == 0
    await stage.hears("contact.created", contactId="bia", phone=PHONE)
    assert await stage.statuses("bia") == []
    assert await stage.enroll(version, "bia") == Refused(Refusal.CADENCE_NOT_ACTIVE)


async def test_everybody_in_it_is_cancelled_however_they_were_held(stage: Stage) -> None:
    await stage.publish(definition(waits=[Wait(days=1)]))
    for contact in ("active", "held", "parked"):
        await stage.hears("contact.created", contactId=contact, phone=PHONE)
    await stage.publish(definition(key="other", waits=[Wait(days=1)]))
    await stage.hears("contact.created", contactId="elsewhere", phone=PHONE)
    await stage.pool.execute(
        """
        UPDATE cadence_enrollments SET status = 'paused', paused_by = 'operator', next_run_at = NULL,
            wait_left = interval '1 hour', held_due_at = next_run_at
        WHERE contact_id = 'held'
        """
    )
    await stage.pool.execute(
        """
        UPDATE cadence_enrollments SET status = 'parked', park_reason = 'internal_error', park_detail = 'x',
            parked_knowing = ''
        WHERE contact_id = 'parked'
        """
    )
    await _archive(stage)
    await _settle(stage, rows=2)
    assert [await stage.statuses(c) for c in ("active", "held", "parked")] == [["cancelled"]] * 3
    assert sorted(await stage.statuses("elsewhere")) == ["active", "cancelled"]
    told = await stage.log("cadence.enrollment.cancelled")
    assert {(e["reason"], e["actor"], e["note"]) for e in told} == {("cadence_archived", "olga", "out of season")}
    assert len(told) == 4


async def test_archiving_again_changes_nothing(stage: Stage) -> None:
    await stage.publish(definition())
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    for _ in range(2):
        await _archive(stage)
        await _settle(stage)
    assert len(await stage.log("cadence.enrollment.cancelled")) == 1


async def test_it_is_neither_paused_nor_resumed(stage: Stage) -> None:
    await stage.publish(definition())
    await _archive(stage)
    for change in (pause_cadence, resume_cadence):
        outcome, _ = await run(stage.pool, lambda unit, c=change: c(unit, ACME, KEY, actor="olga", reason=None))  # type: ignore[misc]
        assert isinstance(outcome, IsArchived)


async def test_it_comes_back_paused_and_once_resumed_takes_contacts_again(stage: Stage) -> None:
    await stage.publish(definition())
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    await _archive(stage)
    assert isinstance(await _unarchive(stage), StillMoving)
    await _settle(stage)
    back = await _unarchive(stage)
    assert isinstance(back, Flagged)
    assert back.cadence.status is CadenceStatus.PAUSED
    await _settle(stage)
    await stage.hears("contact.created", contactId="bia", phone=PHONE)
    assert await stage.statuses("bia") == []
    await run(stage.pool, lambda unit: resume_cadence(unit, ACME, KEY, actor="olga", reason=None))
    await _settle(stage)
    await stage.hears("contact.created", contactId="cid", phone=PHONE)
    assert (await stage.statuses("ana"), await stage.statuses("cid")) == (["cancelled"], ["active"])
    assert isinstance(await _unarchive(stage), NotArchived)


async def test_what_a_pause_had_parked_does_not_go_on_when_its_contact_changes(stage: Stage) -> None:
    await stage.publish(definition(variables=NAME))
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    await stage.run_due()
    await _archive(stage)
    await stage.hears("contact.updated", contactId="ana", name="Ana")
    assert await stage.statuses() == ["parked"]
    assert (await run(stage.pool, recheck_parked))[0] == 0
    await _settle(stage)
    assert await stage.statuses() == ["cancelled"]


async def test_another_companys_cadence_of_the_same_key_is_left_alone(stage: Stage) -> None:
    await stage.publish(definition())
    await stage.publish(definition(), company="other")
    await stage.hears("contact.created", contactId="ana", phone=PHONE, companyId="other")
    await _archive(stage)
    await _settle(stage)
    assert await stage.statuses("ana", "other") == ["active"]
    unknown, _ = await run(stage.pool, lambda unit: archive_cadence(unit, "third", KEY, actor="olga", reason=None))
    assert unknown == NotFound()


async def _archive(stage: Stage) -> None:
    await run(stage.pool, lambda unit: archive_cadence(unit, ACME, KEY, actor="olga", reason="out of season"))


async def _unarchive(stage: Stage) -> object:
    return (await run(stage.pool, lambda unit: unarchive_cadence(unit, ACME, KEY, actor="olga", reason=None)))[0]


async def _settle(stage: Stage, rows: int = 1) -> None:
    moved = (await run(stage.pool, lambda unit: move_unsettled(unit, rows)))[0]
    while moved is not None and not moved.settled:
        moved = (await run(stage.pool, lambda unit: move_unsettled(unit, rows)))[0]
