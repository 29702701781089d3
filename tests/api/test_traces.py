"""A request is a span in its caller's trace, and what it begins leads back to it."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cadence_engine.tracing.contexts import written
from tests.api.conftest import Api
from tests.recorded import recorded

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
NDJSON = {"Content-Type": "application/x-ndjson", "Idempotency-Key": "monday"}


@pytest.fixture
def told() -> Iterator[InMemorySpanExporter]:
    with recorded() as told:
        yield told


async def test_who_is_enrolled_by_a_call_leads_back_to_it(api: Api, told: InMemorySpanExporter) -> None:
    key = await api.key()
    await api.published(key)
    await api.known("ana", "bob")
    told.clear()
    wanted = {"cadenceKey": "welcome", "contactId": "ana"}
    said = await api("POST", "/v1/enrollments", key, json=wanted, headers={"traceparent": CALLER})
    said.fine(201)
    [span] = told.get_finished_spans()
    assert (span.name, span.kind.name, f"{span.context.trace_id:032x}") == (
        "POST /v1/enrollments",
        "SERVER",
        CALLER.split("-")[1],
    )
    kept = "SELECT traceparent FROM cadence_enrollments WHERE contact_id = $1"
    assert await api.pool.fetchval(kept, "ana") == written(span.context)
    batches = "SELECT traceparent FROM event_batches ORDER BY batch_id DESC LIMIT 1"
    assert await api.pool.fetchval(batches) == written(span.context)

    many = await api(
        "POST",
        "/v1/cadences/welcome/enrollments",
        key,
        data='{"contactId": "bob"}\n',
        headers=NDJSON | {"traceparent": CALLER},
    )
    many.fine()
    assert '"created"' in many.body
    assert await api.pool.fetchval(kept, "bob") is None


async def test_a_span_tells_the_route_and_the_answer_but_nothing_of_the_call(
    api: Api, told: InMemorySpanExporter
) -> None:
    key = await api.key()
    (await api("GET", "/v1/contacts/ana", key, params={"limit": "secret"})).problem(422, "invalid_request")
    (await api("GET", "/nowhere/ana")).problem(404, "no_such_route")
    await api.pool.execute("ALTER TABLE contacts RENAME TO hidden")
    (await api("GET", "/v1/contacts/ana", key)).problem(500, "internal_error")
    wrong, nowhere, failed = told.get_finished_spans()
    assert dict(wrong.attributes or {}) == {
        "http.request.method": "GET",
        "http.route": "/v1/contacts/{contactId}",
        "http.response.status_code": 422,
    }
    assert nowhere.name == "GET"
    assert [span.status.is_ok for span in (wrong, nowhere, failed)] == [True, True, False]
    text = "".join(span.to_json() for span in told.get_finished_spans())
    assert not any(private in text for private in ("ana", "secret", "cadence_", key))
