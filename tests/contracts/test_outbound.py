"""What the engine promises those who read its topics."""

import json
from typing import Any

import pytest

from cadence_contracts import InvalidRecord, Reason, outbound, read_record
from cadence_contracts.outbound import EnrollmentCancelled, EventCause, SendRequested, StepExecuted
from cadence_contracts.schemas import data_schemas
from tests.contracts.samples import STRUCTURED, example

COMMON = {"companyId", "contactId", "enrollmentId", "cadenceId", "cadenceKey", "version"}
LOGGED = COMMON | {"revision", "at", "cause"}
FIELDS = {
    "whatsapp.send.requested": COMMON
    | {"sendId", "to", "conversationId", "template", "stepKey", "stepIndex", "dueAt", "requestedAt", "expiresAt"},
    "cadence.enrollment.started": LOGGED | {"trigger", "leadId", "conversationId", "nextRunAt"},
    "cadence.step.executed": LOGGED | {"stepKey", "stepIndex", "sendId", "dueAt", "nextRunAt"},
    "cadence.step.skipped": LOGGED | {"stepKey", "stepIndex", "reason", "note", "nextRunAt"},
    "cadence.enrollment.paused": LOGGED | {"reason", "actor", "nextRunAt", "resumeAt"},
    "cadence.enrollment.resumed": LOGGED | {"reason", "actor", "nextRunAt"},
    "cadence.enrollment.parked": LOGGED | {"stepIndex", "reason", "detail"},
    "cadence.enrollment.cancelled": LOGGED | {"stepIndex", "reason", "actor", "messageId", "note"},
    "cadence.enrollment.completed": LOGGED | {"tags"},
}


def parse(event: dict[str, Any]) -> Any:
    return outbound.parse(read_record(json.dumps(event).encode(), STRUCTURED))


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_the_wire_names_are_the_contracts(name: str) -> None:
    schema = data_schemas()[name]

    assert set(schema["properties"]) == FIELDS[name]
    assert set(schema["required"]) == FIELDS[name], "every field is always there"


def test_no_type_is_without_its_fields_here() -> None:
    assert set(outbound.MODELS) == set(FIELDS)


def test_a_consumer_gets_typed_events() -> None:
    cancelled = parse(example("cadence.enrollment.cancelled/full.json"))
    send = parse(example("whatsapp.send.requested/full.json"))

    assert isinstance(cancelled, EnrollmentCancelled)
    assert cancelled.cause == EventCause(source="/inbox", id="evt-2001")
    assert isinstance(send, SendRequested)
    assert send.template.variables == {"contactName": "Ana"}
    assert send.expires_at > send.due_at


def test_times_go_out_in_utc_with_z() -> None:
    event = example("cadence.step.executed/full.json")
    event["data"] |= {"dueAt": "2026-03-02T09:00:00-03:00"}
    executed = parse(event)

    assert isinstance(executed, StepExecuted)
    assert json.loads(executed.model_dump_json())["dueAt"] == "2026-03-02T12:00:00Z"


def test_a_type_that_is_newer_than_the_package_is_passed_over() -> None:
    assert parse(example("cadence.step.skipped/full.json") | {"type": "cadence.step.postponed"}) is None


def test_a_broken_promise_is_named() -> None:
    event = example("cadence.step.skipped/full.json")
    event["data"] |= {"revision": 0}

    with pytest.raises(InvalidRecord, match=r"data\.revision") as wrong:
        parse(event)
    assert wrong.value.reason == Reason.INVALID_DATA
