"""The spans of what the relay publishes: one of each Kafka transaction, and one of each record that somebody traces.

A record's span begins a trace of its own, as its enrollment may have begun days ago. It is linked to what began the
enrollment, and to the transaction that decided the record: whoever receives the record finds both from there.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from opentelemetry.trace import SpanKind

from cadence_engine.bus.relay.batches import Portion
from cadence_engine.domain.events import UNPUBLISHED
from cadence_engine.storage import relay as storage
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.relay import TracedEvent
from cadence_engine.tracing import spans

NOBODY: Final[Mapping[UUID, str]] = {}
SYSTEM: Final = {"messaging.system": "kafka", "messaging.operation.type": "send"}


@asynccontextmanager
async def traced(connection: Connection, portion: Portion) -> AsyncIterator[Mapping[UUID, str]]:
    """Meanwhile the portion is published; the `traceparent` for the record of each event that is traced, by its id."""
    if not spans.wanted():
        yield NOBODY
        return
    batches = [(batch.batch_id, batch.events[0].logged_at) for batch in portion.batches if batch.events]
    decided = await storage.origins(connection, batches)
    with spans.within("publish", SpanKind.CLIENT, links=decided.values(), attributes=SYSTEM) as publishing:
        publishing.tell(batches=len(batches), events=sum(len(batch.events) for batch in portion.batches))
        sending = {
            event.event_id: _span(event, decided.get(event.batch_id))
            for event in await storage.traced_events(connection, batches)
            if event.type not in UNPUBLISHED
        }
        try:
            yield {event_id: context for event_id, (_, context) in sending.items() if context is not None}
        except BaseException as error:
            for told, _ in sending.values():
                told.failed(error)
            raise
        finally:
            for told, _ in sending.values():
                told.end()


def _span(event: TracedEvent, decided: str | None) -> tuple[spans.Told, str | None]:
    about = {
        **SYSTEM,
        "messaging.message.id": str(event.event_id),
        "cadence.company_id": event.company_id,
        "cadence.enrollment_id": str(event.enrollment_id),
    }
    return spans.of_record(f"send {event.type}", (event.began, decided), about)
