"""Which trace context a record is taken to have, and what is made of it."""

import pytest
from opentelemetry.trace import INVALID_SPAN_CONTEXT

from cadence_engine.tracing import contexts

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{SPAN}-01"
OTHER = f"00-{TRACE}-00f067aa0ba902b8-01"


@pytest.mark.parametrize(
    ("headers", "attributes", "found"),
    [
        ([("traceparent", SAMPLED.encode())], {}, SAMPLED),
        ([("Traceparent", SAMPLED.encode())], {}, SAMPLED),
        ([], {"traceparent": SAMPLED}, SAMPLED),
        ([("traceparent", OTHER.encode())], {"traceparent": SAMPLED}, OTHER),  # the nearer span is the header's
        ([("traceparent", f"cc-{TRACE}-{SPAN}-03-of-later".encode())], {}, SAMPLED),
        ([], {}, None),
        ([("traceparent", None)], {}, None),
        ([("traceparent", b"\xff\xfe")], {}, None),
        ([("traceparent", b"")], {}, None),
        ([], {"traceparent": 7}, None),
        ([("traceparent", SAMPLED[:-1].encode() + b"0")], {}, None),
        ([("traceparent", f"00-{'0' * 32}-{SPAN}-01".encode())], {}, None),
        ([("traceparent", f"ff-{TRACE}-{SPAN}-01".encode())], {}, None),
        ([("traceparent", SAMPLED.encode() * 2)], {}, None),
    ],
)
def test_a_record_has_the_context_of_its_header_or_else_of_its_event(
    headers: list[tuple[str, bytes | None]], attributes: dict[str, object], found: str | None
) -> None:
    assert contexts.of_record(headers, attributes) == found


def test_links_are_made_once_each_and_not_beyond_their_limit() -> None:
    [link] = contexts.links([None, SAMPLED, SAMPLED])
    assert contexts.written(link.context) == SAMPLED
    many = [f"00-{TRACE}-{number:016x}-01" for number in range(1, 2 * contexts.LINKS_AT_MOST)]
    assert [contexts.written(each.context) for each in contexts.links(many)] == many[: contexts.LINKS_AT_MOST]


def test_what_is_not_sampled_does_not_travel() -> None:
    assert contexts.written(INVALID_SPAN_CONTEXT) is None
