"""Blanking a deleted contact's personal data in enrollments and log."""

from collections.abc import Mapping
from datetime import datetime

from cadence_engine.domain.contact import ContactKey
from cadence_engine.storage.connection import Connection


async def blank(connection: Connection, up_to: Mapping[ContactKey, datetime]) -> None:
    """Forget contexts, phones, variables and operators' notes of the ended passages triggered up to the given instants.

    A send that is not on Kafka yet becomes a skipped step. It keeps its event id: the relay's digest, and with it the
    proof of what was published, rests on the ids alone.
    """
    keys = sorted(up_to)
    passages = await connection.fetch(
        """
        UPDATE cadence_enrollments e SET context = '{}'
        FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS erased (company_id, contact_id, up_to)
        WHERE e.company_id = erased.company_id AND e.contact_id = erased.contact_id
            AND e.triggered_at <= erased.up_to AND e.status IN ('completed', 'cancelled')
        RETURNING e.company_id, e.enrollment_id
        """,
        [key[0] for key in keys],
        [key[1] for key in keys],
        [up_to[key] for key in keys],
    )
    if passages:
        await _blank_log(connection, [row[0] for row in passages], [row[1] for row in passages])


async def _blank_log(connection: Connection, company_ids: list[str], enrollment_ids: list[str]) -> None:
    # A batch that the relay is publishing is locked by it: afterwards its sends are known to be on Kafka.
    await connection.execute(
        """
        SELECT batch_id FROM event_batches
        WHERE published_at IS NULL AND batch_id IN (
            SELECT batch_id FROM cadence_events
            JOIN unnest($1::text[], $2::uuid[]) AS passage (company_id, enrollment_id) USING (company_id, enrollment_id)
        )
        ORDER BY batch_id FOR UPDATE
        """,
        company_ids,
        enrollment_ids,
    )
    await connection.execute(
        """
        UPDATE cadence_events sent SET
            type = CASE WHEN batch.published_at IS NULL THEN 'cadence.step.skipped' ELSE sent.type END,
            data = CASE WHEN batch.published_at IS NULL
                THEN sent.data - '{sendId,to,conversationId,template,dueAt,requestedAt,expiresAt}'::text[]
                    || jsonb_build_object('revision', sent.revision, 'at', sent.data -> 'requestedAt',
                        'cause', '{"actor": "erase"}'::jsonb, 'reason', 'erased')
                ELSE jsonb_set(sent.data, '{template,variables}', '{}') || '{"to": null}'
            END
        FROM unnest($1::text[], $2::uuid[]) AS passage (company_id, enrollment_id), event_batches batch
        WHERE sent.company_id = passage.company_id AND sent.enrollment_id = passage.enrollment_id
            AND sent.type = 'whatsapp.send.requested' AND batch.batch_id = sent.batch_id
        """,
        company_ids,
        enrollment_ids,
    )
    await connection.execute(
        """
        UPDATE cadence_events cancelled SET data = cancelled.data || '{"note": null}'
        FROM unnest($1::text[], $2::uuid[]) AS passage (company_id, enrollment_id)
        WHERE cancelled.company_id = passage.company_id AND cancelled.enrollment_id = passage.enrollment_id
            AND cancelled.type = 'cadence.enrollment.cancelled'
        """,
        company_ids,
        enrollment_ids,
    )
