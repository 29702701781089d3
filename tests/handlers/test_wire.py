"""Every kind of event that the log holds is what the contract promises, field by field."""

from cadence_contracts import outbound
from cadence_contracts.envelope import Envelope
from cadence_engine.domain.cadence import Wait
from cadence_engine.domain.events import UNPUBLISHED, event_id
from cadence_engine.handlers.cadence_status import move_unsettled, pause_cadence, resume_cadence
from cadence_engine.storage.database import run
from tests.handlers.conftest import ACME, NAME, Stage, definition

PHONE = "+5511999990000"


async def test_the_log_speaks_the_contract(stage: Stage) -> None:
    await stage.publish(definition(key="short", waits=[Wait()], tags=["done"]))
    await stage.publish(definition(key="named", waits=[Wait(), Wait(days=1)], variables=NAME))
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    await stage.run_due()  # sent, completed, parked
    await stage.hears("contact.updated", contactId="ana", name="Ana")  # resumed
    await stage.run_due()
    for change in (pause_cadence, resume_cadence):
        await run(stage.pool, lambda unit, change=change: change(unit, ACME, "named", actor="olga", reason=None))  # type: ignore[misc]
        moved = (await run(stage.pool, lambda unit: move_unsettled(unit, 10)))[0]
        while moved is not None and not moved.settled:
            moved = (await run(stage.pool, lambda unit: move_unsettled(unit, 10)))[0]
    await stage.hears("contact.deleted", contactId="ana")  # cancelled, skipped

    rows = await stage.pool.fetch("SELECT * FROM cadence_events ORDER BY batch_id, position")
    told = [row for row in rows if row["type"] not in UNPUBLISHED]
    for row in told:
        envelope = Envelope(id=str(row["event_id"]), source="/cadence-engine", type=row["type"], data=row["data"])
        model = outbound.parse(envelope)
        assert model is not None, row["type"]
        promised = {field.alias for field in type(model).model_fields.values()}
        assert set(row["data"]) == promised, row["type"]
        assert row["data"].get("revision", row["revision"]) == row["revision"]
        if row["type"] != "cadence.step.skipped":  # it keeps the id of the send that it was
            assert row["event_id"] == event_id(row["enrollment_id"], row["revision"], row["type"])
    assert {row["type"] for row in told} == set(outbound.MODELS) - {"whatsapp.send.requested"}
