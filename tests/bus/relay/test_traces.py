"""A record of a traced enrollment carries the context of the span that sent it, whatever went wrong before."""

from opentelemetry.trace import StatusCode

from cadence_engine.bus.relay.points import Point
from cadence_engine.storage.origin import TRACEPARENT
from cadence_engine.tracing.contexts import written
from tests.bus.relay.conftest import Log, Road, a_send, relay, until
from tests.recorded import recorded

BEGAN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
DECIDED = "00-4bf92f3577b34da6a3ce929d0e0e4737-00f067aa0ba902b8-01"

# Of what an enrollment refers to, the relay knows nothing.
TRACED = """
SET session_replication_role = replica;
INSERT INTO cadence_enrollments (company_id, enrollment_id, cadence_id, version, contact_id, status, step_index,
    revision, trigger, triggered_at, started_at, ended_at, traceparent)
VALUES ('acme', '{}', gen_random_uuid(), 1, 'ana', 'completed', 1, 1, 'api', now(), now(), now(), '{}');
SET session_replication_role = DEFAULT;
"""


async def test_the_header_names_the_span_of_the_transaction_that_was_committed(log: Log, road: Road) -> None:
    traced, other = a_send("ana"), a_send("bob")
    await log.connection.execute(TRACED.format(traced.enrollment_id, BEGAN))
    decided = TRACEPARENT.set(DECIDED)
    await log.write(traced, other)
    TRACEPARENT.reset(decided)
    failures = iter([ConnectionError("cut off")])

    async def fails_once(point: Point) -> None:
        if point is Point.BEFORE_KAFKA_COMMIT and (failure := next(failures, None)):
            raise failure

    with recorded() as told:
        async with relay(log.settings, fails_once):
            await until(log.is_published)

    spans = told.get_finished_spans()
    failed, sent = [span for span in spans if span.name == "send whatsapp.send.requested"]
    assert (failed.status.status_code, sent.status.status_code) == (StatusCode.ERROR, StatusCode.UNSET)
    assert [written(link.context) for link in sent.links] == [BEGAN, DECIDED]
    attempts = [span for span in spans if span.name == "publish"]
    assert [[written(link.context) for link in span.links] for span in attempts] == [[DECIDED], [DECIDED]]
    headers = {record.key: dict(record.headers).get("traceparent") for record in await road.records()}
    assert headers == {b"ana": str(written(sent.context)).encode(), b"bob": None}
