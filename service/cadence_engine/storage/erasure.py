"""Blanking a deleted contact's personal data in enrollments and log."""

from collections.abc import Collection, Sequence

from cadence_engine.domain.cadence import UNRECORDED
from cadence_engine.domain.contact import Contact
from cadence_engine.domain.events import PAUSED, RESUMED, STARTED
from cadence_engine.storage.connection import Connection

Creation = tuple[str, str, str, str]
"""(company id, contact id, CloudEvents source, id) of a `contact.created`."""

# Neither may hold a newline.
DIGEST = r"sha256(salt || convert_to(source || E'\n' || id, 'UTF8'))"
OPERATORS_REASON = (PAUSED, RESUMED)
"""Events whose `reason` is in the words of the operator whom they name; in the others these are the `note`."""


async def blank(connection: Connection, contacts: Sequence[Contact]) -> None:
    """Forget contexts, phones, variables and operators' notes of the ended passages that go with the deleted contacts.

    A send that is not on Kafka yet becomes a skipped step. It keeps its event id: the relay's digest, and with it the
    proof of what was published, rests on the ids alone. Which passages go is said by `domain.erase.is_forgotten`.
    """
    ordered = sorted(contacts, key=lambda contact: contact.key)
    passages = await connection.fetch(
        """
        UPDATE cadence_enrollments e SET context = '{}', traceparent = NULL
        FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::bool[])
            AS contact (company_id, contact_id, at, erased)
        WHERE e.company_id = contact.company_id AND e.contact_id = contact.contact_id
            AND (e.triggered_at <= contact.at OR contact.erased AND e.trigger = ANY($5::text[]))
            AND e.status IN ('completed', 'cancelled')
        RETURNING e.company_id, e.enrollment_id
        """,
        [contact.company_id for contact in ordered],
        [contact.contact_id for contact in ordered],
        [contact.erased_at for contact in ordered],
        [contact.erased for contact in ordered],
        list(UNRECORDED),
    )
    if passages:
        company_ids, enrollment_ids = [row[0] for row in passages], [row[1] for row in passages]
        await _remember_creations(connection, company_ids, enrollment_ids)
        await _blank_log(connection, company_ids, enrollment_ids)


async def repeated(connection: Connection, creations: Collection[Creation]) -> set[Creation]:
    """Those of the creations that began a passage of their contact before it was deleted."""
    if not creations:
        return set()
    rows = await connection.fetch(
        f"""
        SELECT told.* FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
            AS told (company_id, contact_id, source, id)
        WHERE EXISTS (
            SELECT FROM erased_creations known
            WHERE known.company_id = told.company_id AND known.contact_id = told.contact_id AND digest = {DIGEST}
        )
        """,  # noqa: S608  # a constant of this module
        *zip(*sorted(creations), strict=True),
    )
    return {(row[0], row[1], row[2], row[3]) for row in rows}


async def _remember_creations(connection: Connection, company_ids: list[str], enrollment_ids: list[str]) -> None:
    await connection.execute(
        f"""
        WITH told AS MATERIALIZED (
            SELECT DISTINCT ON (company_id, contact_id, source, id) *, uuid_send(gen_random_uuid()) AS salt
            FROM unnest($1::text[], $2::uuid[]) AS passage (company_id, enrollment_id)
            JOIN cadence_events started USING (company_id, enrollment_id)
            CROSS JOIN LATERAL (SELECT data #>> '{{cause,source}}' AS source, data #>> '{{cause,id}}' AS id) AS cause
            WHERE started.type = $3 AND data ->> 'trigger' = 'contact.created' AND source IS NOT NULL
        )
        INSERT INTO erased_creations (company_id, contact_id, salt, digest)
        SELECT company_id, contact_id, salt, {DIGEST} FROM told
        WHERE NOT EXISTS (
            SELECT FROM erased_creations known
            WHERE known.company_id = told.company_id AND known.contact_id = told.contact_id
                AND known.digest = {DIGEST.replace("salt", "known.salt")}
        )
        """,  # noqa: S608  # a constant of this module
        company_ids,
        enrollment_ids,
        STARTED,
    )


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
                        'cause', '{"actor": "erase"}'::jsonb, 'reason', 'erased', 'note', null, 'nextRunAt', null)
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
        UPDATE cadence_events told SET data = told.data || CASE WHEN told.type = ANY($3::text[])
            THEN '{"reason": null}'::jsonb ELSE '{"note": null}'::jsonb END
        FROM unnest($1::text[], $2::uuid[]) AS passage (company_id, enrollment_id)
        WHERE told.company_id = passage.company_id AND told.enrollment_id = passage.enrollment_id
            AND CASE WHEN told.type = ANY($3::text[])
                THEN told.data ->> 'reason' IS NOT NULL AND told.data ->> 'actor' IS NOT NULL
                ELSE told.data ->> 'note' IS NOT NULL END
        """,
        company_ids,
        enrollment_ids,
        OPERATORS_REASON,
    )
