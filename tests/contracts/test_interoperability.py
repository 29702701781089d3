"""The official CloudEvents SDK reads what we write, and we read what it writes."""

from datetime import UTC, datetime
from typing import Literal

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, from_structured, to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from cadence_contracts import inbound, read_record, write_record
from cadence_contracts.inbound import ContactCreated

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DATA = {"companyId": "acme", "contactId": "c-42", "name": "Ana Ã"}


@pytest.mark.parametrize("mode", ["structured", "binary"])
def test_the_sdk_reads_what_we_write(mode: Literal["structured", "binary"]) -> None:
    contact = ContactCreated(company_id="acme", contact_id="c-42", name="Ana Ã")
    record = write_record(contact, id="evt-1", source="/crm", time=NOON, mode=mode, attributes={"traceparent": "00"})

    message = KafkaMessage(headers=dict(record.headers), key=record.key, value=record.value)
    read = from_structured if mode == "structured" else from_binary
    event = read(message, JSONFormat())

    assert (event.get_id(), event.get_source(), event.get_type()) == ("evt-1", "/crm", "contact.created")
    assert (event.get_time(), event.get_extension("traceparent")) == (NOON, "00")
    assert event.get_data() == DATA


@pytest.mark.parametrize("write", [to_structured, to_binary])
@pytest.mark.parametrize("content_type", ["application/json", None])
def test_we_read_what_the_sdk_writes(write: type[KafkaMessage], content_type: str | None) -> None:
    attributes = {"id": "evt-1", "source": "/crm", "type": "contact.created", "specversion": "1.0", "time": NOON}
    if content_type:
        attributes["datacontenttype"] = content_type
    message = write(CloudEvent(attributes=attributes, data=DATA), JSONFormat())  # type: ignore[arg-type,call-arg]

    envelope = read_record(message.value, list(message.headers.items()))

    assert envelope[:5] == ("evt-1", "/crm", "contact.created", DATA, NOON)
    assert inbound.parse(envelope) == ContactCreated(company_id="acme", contact_id="c-42", name="Ana Ã")
