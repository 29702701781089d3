"""How the engine understands what other services say."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadence_contracts import Envelope, InvalidRecord, Reason, inbound, topics
from cadence_contracts.fields import is_locale, is_phone, is_zone
from cadence_contracts.inbound import CompanyUpdated, ContactUpdated, GenericTrigger, MessageReceived, PurchaseCompleted

IDS = {"companyId": "acme", "contactId": "c-42"}


def parse(event_type: str, data: dict[str, Any], topic: str | None = None) -> Any:
    return inbound.parse(Envelope("evt-1", "/crm", event_type, data), topic=topic)


def refusal(event_type: str, data: dict[str, Any], topic: str | None = None) -> InvalidRecord:
    with pytest.raises(InvalidRecord) as caught:
        parse(event_type, data, topic)
    return caught.value


def test_absent_leaves_null_clears() -> None:
    contact = parse(topics.CONTACT_UPDATED, {**IDS, "name": None, "locale": "pt-BR"})

    assert contact.changes() == {"company_id": "acme", "contact_id": "c-42", "name": None, "locale": "pt-BR"}


def test_an_empty_name_is_none() -> None:
    assert parse(topics.CONTACT_UPDATED, {**IDS, "name": ""}).changes()["name"] is None


def test_an_unreadable_field_counts_as_absent_and_is_reported_by_name() -> None:
    contact = parse(topics.CONTACT_UPDATED, {**IDS, "timeZone": "../../etc/passwd", "phone": "0800", "name": "Ana"})

    assert isinstance(contact, ContactUpdated)
    assert contact.ignored == ("phone", "timeZone")
    assert set(contact.changes()) == {"company_id", "contact_id", "name"}


def test_of_a_company_too() -> None:
    company = parse(topics.COMPANY_UPDATED, {"companyId": "acme", "timeZone": "Mars/Olympus", "locale": "??"})

    assert isinstance(company, CompanyUpdated)
    assert set(company.ignored) == {"timeZone", "locale"}


def test_a_wrong_type_of_an_optional_field_is_refused_and_not_ignored() -> None:
    for name in ("phone", "locale", "timeZone", "name", "tags", "createdAt"):
        assert refusal(topics.CONTACT_CREATED, {**IDS, name: 7}).detail.startswith(f"data.{name} must")


def test_a_time_that_decides_nothing_refuses_nothing() -> None:
    reply = parse(topics.MESSAGE_RECEIVED, {**IDS, "receivedAt": "2026-03-01 12:00:00"})

    assert isinstance(reply, MessageReceived)
    assert reply.is_inbound
    assert reply.ignored == ("receivedAt",)


@pytest.mark.parametrize("more", [{"receivedAt": 1767225600000}, {"conversationId": ""}, {"messageId": 4711}])
def test_a_reply_counts_whatever_is_wrong_with_what_it_says_besides(more: dict[str, Any]) -> None:
    reply = parse(topics.MESSAGE_RECEIVED, {**IDS, **more})

    assert isinstance(reply, MessageReceived)
    assert reply.ignored == tuple(more)


def test_what_a_message_must_say_is_still_required() -> None:
    assert "contactId" in refusal(topics.MESSAGE_RECEIVED, {"companyId": "acme", "messageId": 4711}).detail
    assert refusal(topics.MESSAGE_RECEIVED, {**IDS, "direction": "sideways"}).reason == Reason.INVALID_DATA


def test_a_message_is_inbound_unless_it_says_otherwise() -> None:
    said = [parse(topics.MESSAGE_RECEIVED, {**IDS, **more}) for more in ({}, {"direction": None})]
    ours = parse(topics.MESSAGE_RECEIVED, {**IDS, "direction": "outbound"})

    assert all(message.is_inbound for message in said)
    assert isinstance(ours, MessageReceived)
    assert not ours.is_inbound


def test_python_names_are_no_wire_names() -> None:
    assert "data.companyId is missing" in refusal(topics.CONTACT_DELETED, {"company_id": "acme"}).detail


def test_a_topic_carries_its_own_type_only() -> None:
    assert refusal(topics.CONTACT_CREATED, IDS, topics.CONTACT_UPDATED).reason == Reason.UNKNOWN_TYPE
    assert refusal("contact.renamed", IDS).reason == Reason.UNKNOWN_TYPE
    assert type(parse("anything", IDS, "quote.requested")) is GenericTrigger
    assert type(parse(topics.CONTACT_CREATED, IDS, "quote.requested")) is GenericTrigger


def test_a_trigger_keeps_its_scalars_as_context_and_reports_the_rest() -> None:
    data: dict[str, Any] = {
        **IDS,
        "purchaseId": "p-1",
        "amount": 49.9,
        "currency": None,
        "coupon": "MARCO",
        "vip": True,
        "count": 2**63 - 1,
        "items": [1],
        "address": {},
        "long": "x" * 1001,
        "huge": 2**63,
        "endless": float("inf"),
        "nothing": None,
        "bad\nname": 1,
    }

    purchase = parse(topics.PURCHASE_COMPLETED, data)

    assert isinstance(purchase, PurchaseCompleted)
    assert purchase.context == {
        "purchaseId": "p-1",
        "amount": 49.9,
        "coupon": "MARCO",
        "vip": True,
        "count": 2**63 - 1,
    }
    assert purchase.ignored == ("items", "address", "long", "huge", "endless", "bad?name")


def test_a_context_has_at_most_100_further_fields() -> None:
    trigger = parse("quote.requested", {**IDS, **{f"f{number}": number for number in range(130)}}, "quote.requested")

    assert list(trigger.context) == [f"f{number}" for number in range(100)]
    assert trigger.ignored[0] == "f100"
    assert len(trigger.ignored) == 20


def test_amounts_stay_what_they_were() -> None:
    amounts: tuple[Any, ...] = (49, 49.9, "49.90", 2**63 - 1)
    for amount in amounts:
        context = parse(topics.PURCHASE_COMPLETED, {**IDS, "purchaseId": "p-1", "amount": amount}).context
        assert (context["amount"], type(context["amount"])) == (amount, type(amount))
    unusable: tuple[Any, ...] = (True, 2**63, 2**70, float("inf"), {})
    for amount in unusable:
        wrong = refusal(topics.PURCHASE_COMPLETED, {**IDS, "purchaseId": "p-1", "amount": amount})
        assert wrong.detail.startswith("data.amount must")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"companyId": "acme"}, "data.contactId is missing"),
        ({**IDS, "contactId": ""}, "data.contactId must have at least 1 characters"),
        ({**IDS, "contactId": "x" * 201}, "data.contactId must have at most 200 characters"),
        ({**IDS, "contactId": "a\nb"}, "data.contactId must not hold control characters"),
        ({**IDS, "tags": ["a", 7]}, "data.tags[1] must be a string"),
    ],
)
def test_a_refusal_says_where_and_what_is_allowed(data: dict[str, Any], said: str) -> None:
    wrong = refusal(topics.CONTACT_CREATED, data)

    assert wrong.reason == Reason.INVALID_DATA
    assert wrong.detail.startswith(said)


def test_of_many_faults_the_first_are_told_and_the_rest_counted() -> None:
    detail = refusal(topics.CONTACT_CREATED, {**IDS, "tags": [7] * 50}).detail

    assert detail.count("must be a string") == 3
    assert detail.endswith("; and 47 more")


@given(
    st.sampled_from(sorted(set(inbound.MODELS))),
    st.sampled_from(["companyId", "contactId", "name", "tags", "createdAt", "direction", "marketing", "amount"]),
    st.sampled_from(["", "\n", "x" * 600]),
)
def test_a_refusal_never_repeats_what_was_there(event_type: str, name: str, more: str) -> None:
    secret = "Ana+5511999999999"
    for value in (secret + more, [secret, 7], {secret: secret}):
        data = {**IDS, "leadId": "l", "purchaseId": "p", "marketing": "stop", name: value}
        said = ""
        try:
            parse(event_type, data)
        except InvalidRecord as wrong:
            said = str(wrong)
        assert secret not in said


def test_phones() -> None:
    assert all(map(is_phone, ["+5511999999999", "+1234567", "+123456789012345"]))
    assert not any(
        map(is_phone, ["5511999999999", "+0511999999999", "+123456", "+1234567890123456", "+12345678\n", "+١٢٣٤٥٦٧٨"])
    )


def test_locales() -> None:
    assert all(
        map(
            is_locale,
            ["pt", "pt-BR", "zh-Hant-TW", "es-419", "de-CH-1996", "en-u-ca-buddhist", "x-own", "sl-rozaj-biske"],
        )
    )
    assert not any(
        map(is_locale, ["pt_BR", "", "p", "pt-", "pt--BR", "português", "pt-BR\n", "a" * 9, "en" + "-abcde" * 50])
    )


def test_zones() -> None:
    assert all(map(is_zone, ["America/Sao_Paulo", "UTC", "Europe/Berlin"]))
    assert not any(
        map(is_zone, ["", "Brasilia", "/etc/localtime", "../UTC", "america/sao_paulo", "UTC\0", "localtime"])
    )


def test_models_are_values() -> None:
    first, second = (parse(topics.CONTACT_CREATED, {**IDS, "phone": "odd", "name": "Ana"}) for _ in range(2))

    assert first == second
    with pytest.raises(ValueError, match="frozen"):
        first.name = "Bia"
    assert json.loads(first.model_dump_json(exclude_unset=True)) == {**IDS, "name": "Ana"}
