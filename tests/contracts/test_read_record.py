"""Raw records of any kind become an envelope or an `InvalidRecord`, and nothing else."""

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadence_contracts import Envelope, InvalidRecord, Reason, inbound, outbound, read_record, topics
from cadence_contracts.fields import format_time, parse_time
from tests.contracts.samples import STRUCTURED, example, paths, raw, structured

EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "evt-1",
    "source": "/crm",
    "type": "contact.created",
    "data": {"companyId": "acme", "contactId": "c-42"},
}
BINARY = [("ce_specversion", b"1.0"), ("ce_id", b"evt-1"), ("ce_source", b"/crm"), ("ce_type", b"contact.created")]


def refusal(value: bytes | None, headers: Sequence[tuple[str, bytes | None]] = STRUCTURED) -> InvalidRecord:
    with pytest.raises(InvalidRecord) as caught:
        read_record(value, headers)
    return caught.value


def test_both_content_modes_give_the_same_envelope() -> None:
    expected = Envelope("evt-1", "/crm", "contact.created", EVENT["data"])

    assert read_record(structured(EVENT), STRUCTURED) == expected
    assert read_record(structured(EVENT["data"]), [("content-type", b"application/json"), *BINARY]) == expected


def test_the_content_type_decides_also_where_ce_headers_say_otherwise() -> None:
    forwarded = [*STRUCTURED, *[(name, b"something else") for name, _ in BINARY]]

    assert read_record(structured(EVENT), forwarded).id == "evt-1"


def test_attributes_beside_the_known_ones_are_kept_where_they_are_text() -> None:
    event = EVENT | {
        "subject": "c-42",
        "traceparent": "00-ab",
        "sampled": True,
        "tags": ["x"],
        "odd": "a\0b",
        "no": None,
    }

    assert read_record(structured(event), STRUCTURED).attributes == {
        "subject": "c-42",
        "traceparent": "00-ab",
        "sampled": True,
    }
    headers = [*BINARY, ("ce_traceparent", b"00-ab"), ("ce_binary", b"\xff"), ("ce_null", None), ("other", b"\xff")]
    assert read_record(structured(EVENT["data"]), headers).attributes == {"traceparent": "00-ab"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01t12:00:00.5z", datetime(2026, 3, 1, 12, microsecond=500_000, tzinfo=UTC)),
        ("2026-03-01T09:00:00.123456789-03:00", datetime(2026, 3, 1, 12, microsecond=123_456, tzinfo=UTC)),
    ],
)
def test_time_is_read_as_utc(written: str, meant: datetime) -> None:
    time = read_record(structured(EVENT | {"time": written}), STRUCTURED).time

    assert time == meant
    assert time is not None
    assert time.tzinfo is UTC


@pytest.mark.parametrize(
    "time", ["2026-03-01T12:00:00", "2026-13-01T12:00:00Z", "0001-01-01T00:00:00+14:00", "20260301T120000Z", 7, ""]
)
def test_a_time_that_is_none_is_no_cloudevent(time: object) -> None:
    assert refusal(structured(EVENT | {"time": time})).reason == Reason.NOT_CLOUDEVENT


@pytest.mark.parametrize("name", ["id", "source", "type"])
@pytest.mark.parametrize("value", [None, "", 7, "x" * 201, "a\nb", "a\x85b", "a\0b"])
def test_an_attribute_out_of_bounds_is_named(name: str, value: object) -> None:
    wrong = refusal(structured(EVENT | {name: value}))

    assert wrong.reason == Reason.NOT_CLOUDEVENT
    assert wrong.detail.startswith(f"{name} ")


def test_ids_of_200_characters_of_any_script_are_fine() -> None:
    assert read_record(structured(EVENT | {"id": "ã" * 200}), STRUCTURED).id == "ã" * 200


def test_a_nul_that_is_only_spelled_out_is_allowed() -> None:
    event = EVENT | {"data": {"note": r"write \u0000 for NUL"}}

    assert read_record(structured(event), STRUCTURED).data == event["data"]


@pytest.mark.parametrize("data", [{"a\0b": 1}, {"a": ["x", {"b": "\0"}]}])
def test_a_nul_anywhere_in_the_data_is_refused(data: object) -> None:
    assert refusal(structured(EVENT | {"data": data})).reason == Reason.INVALID_DATA
    assert refusal(structured(data), BINARY).reason == Reason.INVALID_DATA


def test_a_lone_surrogate_is_refused() -> None:
    assert refusal(rb'{"a": "\ud800"}').reason == Reason.NOT_JSON


def test_a_nul_is_found_behind_base64_too() -> None:
    event = {name: value for name, value in EVENT.items() if name != "data"}
    encoded = base64.b64encode(rb'{"note": "a\u0000b"}').decode()

    assert refusal(structured(event | {"data_base64": encoded})).reason == Reason.INVALID_DATA


def test_a_batch_is_told_to_come_one_by_one() -> None:
    batch = [("content-type", b"application/cloudevents-batch+json"), *BINARY]

    wrong = refusal(structured([EVENT]), batch)

    assert wrong.reason == Reason.NOT_CLOUDEVENT
    assert "one event per record" in wrong.detail


def test_data_and_data_base64_exclude_each_other() -> None:
    assert refusal(structured(EVENT | {"data_base64": "e30="})).reason == Reason.NOT_CLOUDEVENT


headers = st.lists(
    st.tuples(
        st.sampled_from(["content-type", "CE_id", "ce_type", "ce_specversion", "ce_source", "ce_time", "x"])
        | st.text(),
        st.none()
        | st.binary()
        | st.sampled_from([b"1.0", b"application/json", b"application/cloudevents+json", b"contact.created"]),
    )
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
wire_names = st.sampled_from(
    [
        "companyId",
        "contactId",
        "leadId",
        "purchaseId",
        "name",
        "phone",
        "locale",
        "timeZone",
        "tags",
        "createdAt",
        "receivedAt",
        "amount",
        "product",
        "marketing",
        "direction",
        "company_id",
        "ignored",
        "context",
        "_ignored",
        "_x",
    ]
)
ordinary = st.sampled_from(
    ["", "acme", "+5511999999999", "pt-BR", "UTC", "2026-03-01T12:00:00Z", "inbound", 1e999, 2**64]
)


def judge(value: bytes | None, given_headers: Sequence[tuple[str, bytes | None]]) -> None:
    """As the engine does; what is wrong must be said in words that a database and a header can hold."""
    for topic in (None, topics.CONTACT_CREATED, "a.further.trigger"):
        detail = "fine"
        try:
            envelope = read_record(value, given_headers)
            outbound.parse(envelope)
            inbound.parse(envelope, topic=topic).model_dump_json().encode()
        except InvalidRecord as wrong:
            detail = wrong.detail
        assert detail.isprintable()
        assert 0 < len(detail.encode()) <= 1000


@given(st.none() | st.binary(), headers)
@settings(max_examples=300)
def test_any_bytes_and_headers(value: bytes | None, given_headers: list[tuple[str, bytes | None]]) -> None:
    judge(value, given_headers)


@given(st.dictionaries(st.sampled_from([*EVENT, "time", "datacontenttype", "data_base64"]) | st.text(), json_values))
@settings(max_examples=300)
def test_any_attributes(attributes: dict[str, Any]) -> None:
    judge(json.dumps(EVENT | attributes).encode(), STRUCTURED)
    judge(json.dumps(EVENT | attributes, ensure_ascii=False).encode(errors="surrogatepass"), [])


@given(st.sampled_from(topics.INBOUND), st.dictionaries(wire_names | st.text(), ordinary | json_values))
@settings(max_examples=500)
def test_any_data(event_type: str, data: dict[str, Any]) -> None:
    known = {"companyId": "acme", "contactId": "c-42", "leadId": "l", "purchaseId": "p", "marketing": "stop"}
    judge(json.dumps(EVENT | {"type": event_type, "data": data}).encode(), STRUCTURED)
    judge(json.dumps(EVENT | {"type": event_type, "data": known | data}).encode(), STRUCTURED)


@given(st.sampled_from(paths("records/*.json")), st.data())
@settings(max_examples=300)
def test_any_damage_to_a_record(path: str, data: st.DataObject) -> None:
    sample = example(path)
    value = bytearray(raw(sample["value"]) or b"")
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(value)))
        value[place : place + data.draw(st.integers(0, 5))] = data.draw(st.binary(max_size=5))
    judge(bytes(value), [(name, raw(header)) for name, header in sample["headers"]])


@given(st.datetimes(timezones=st.timezones() | st.just(timezone(timedelta(hours=-12)))))
def test_any_time_is_written_as_it_is_read(moment: datetime) -> None:
    try:
        expected = moment.astimezone(UTC)
    except OverflowError:
        return
    assert parse_time(format_time(moment)) == expected
