"""Names that other services rely on."""

from cadence_contracts import Reason, dead_letters, inbound, outbound, topics


def test_the_topics_of_the_contract() -> None:
    assert set(topics.INBOUND) == set(inbound.MODELS)
    assert set(topics.GATE) == {
        "message.received",
        "contact.preferences.changed",
        "contact.deleted",
        "company.deleted",
        "enrollment.cancel.requested",
    }
    assert (topics.OUTBOUND, topics.EVENTS) == ("whatsapp.outbound", "cadence.events")
    assert topics.DEAD_LETTERS == "cadence.dead-letters"


def test_each_type_has_its_topic() -> None:
    assert {name: topics.topic_of(name) for name in inbound.MODELS} == {name: name for name in topics.INBOUND}
    assert topics.topic_of("whatsapp.send.requested") == "whatsapp.outbound"
    assert {topics.topic_of(name) for name in outbound.MODELS if name.startswith("cadence.")} == {"cadence.events"}


def test_the_dead_letter_names_of_the_contract() -> None:
    codes = ["not_json", "not_cloudevent", "unknown_type", "invalid_data", "no_value", "stale", "too_large"]
    assert [str(reason) for reason in Reason] == codes
    headers = {value for name, value in vars(dead_letters).items() if name.startswith("HEADER_")}
    told = ["topic", "partition", "offset", "timestamp", "reason", "detail", "truncated"]
    assert headers == {f"dlq-{name}" for name in told}
