"""What another team writes and reads with this package."""

import json
from datetime import UTC, datetime
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadence_contracts import inbound, outbound, read_record, structured_value, topics, write_record
from cadence_contracts.inbound import CompanyUpdated, ContactCreated, ContactUpdated, GenericTrigger, LeadCreated
from tests.contracts.samples import STRUCTURED, example

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_producer_writes_what_the_engine_reads() -> None:
    contact = ContactCreated(company_id="acme", contact_id="c-42", name="Ana", created_at=NOON)

    modes: tuple[Literal["structured", "binary"], ...] = ("structured", "binary")
    for mode in modes:
        record = write_record(
            contact, id="evt-1", source="/crm", time=NOON, mode=mode, attributes={"traceparent": "00"}
        )
        envelope = read_record(record.value, record.headers)

        assert (record.topic, record.key) == (topics.CONTACT_CREATED, b"c-42")
        assert envelope[:3] == ("evt-1", "/crm", "contact.created")
        assert (envelope.time, envelope.attributes) == (NOON, {"traceparent": "00"})
        assert inbound.parse(envelope, topic=record.topic) == contact


def test_only_what_was_set_is_written_so_that_absent_is_not_null() -> None:
    record = write_record(ContactUpdated(company_id="acme", contact_id="c-42", phone=None), id="1", source="/crm")

    assert json.loads(record.value)["data"] == {"companyId": "acme", "contactId": "c-42", "phone": None}


def test_keys_keep_the_events_of_one_contact_in_order() -> None:
    def key(event: inbound.Inbound) -> bytes:
        return write_record(event, id="1", source="/crm").key

    assert key(LeadCreated(company_id="acme", lead_id="l-1", contact_id="c-42")) == b"c-42"
    assert key(LeadCreated(company_id="acme", lead_id="l-1")) == b"l-1"
    assert key(CompanyUpdated(company_id="acme")) == b"acme"


def test_a_further_trigger_is_written_with_its_context_to_the_topic_of_its_type() -> None:
    trigger = GenericTrigger(company_id="acme", contact_id="c-42", plan="gold", seats=3)

    record = write_record(trigger, id="1", source="/quotes", type="quote.requested")

    assert record.topic == "quote.requested"
    parsed = inbound.parse(read_record(record.value, record.headers), topic=record.topic)
    assert isinstance(parsed, GenericTrigger)
    assert parsed.context == {"plan": "gold", "seats": 3}


def test_a_type_is_given_for_a_further_trigger_and_for_nothing_else() -> None:
    with pytest.raises(ValueError, match="give the type"):
        write_record(GenericTrigger(company_id="a", contact_id="c"), id="1", source="/x")
    with pytest.raises(ValueError, match="give the type"):
        write_record(CompanyUpdated(company_id="a"), id="1", source="/x", type="company.updated")


def test_what_the_engine_writes_is_keyed_by_contact_and_on_its_topic() -> None:
    event = example("whatsapp.send.requested/full.json")
    send = outbound.parse(read_record(json.dumps(event).encode(), STRUCTURED))
    assert send is not None

    record = write_record(send, id=event["id"], source="/cadence-engine", time=NOON)

    assert (record.topic, record.key) == (topics.OUTBOUND, b"c-42")
    assert outbound.parse(read_record(record.value, record.headers)) == send


@given(
    event_id=st.text(min_size=1),
    event_type=st.text(min_size=1),
    data=st.dictionaries(st.text(), st.text() | st.integers() | st.none()),
)
def test_structured_value_is_the_json_of_the_event_around_the_given_text(
    event_id: str, event_type: str, data: dict[str, object]
) -> None:
    for data_json in (json.dumps(data), json.dumps(data).encode()):
        value = structured_value(id=event_id, type=event_type, time=NOON, data_json=data_json)

        assert json.loads(value) == {
            "specversion": "1.0",
            "type": event_type,
            "source": "/cadence-engine",
            "datacontenttype": "application/json",
            "id": event_id,
            "time": "2026-03-01T12:00:00Z",
            "data": data,
        }


def test_structured_value_puts_the_text_in_as_it_is() -> None:
    value = structured_value(id="1", type="t", time="2026-03-01T12:00:00Z", data_json='{"b": 1, "a":[ ]}')

    assert value.endswith(b'"time":"2026-03-01T12:00:00Z","data":{"b": 1, "a":[ ]}}')


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        structured_value(id="1", type="t", time=NOON.replace(tzinfo=None), data_json="{}")
