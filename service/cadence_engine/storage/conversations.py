"""Conversations: known from messages, for ownership and for the send."""

from collections.abc import Collection, Mapping
from datetime import datetime

from cadence_engine.storage.connection import Connection

ConversationKey = tuple[str, str]
"""(company id, conversation id)"""


async def touch(connection: Connection, seen: Mapping[ConversationKey, tuple[str, datetime]]) -> None:
    """Note each conversation's contact and the time of a message in it; the newest time stays."""
    if not seen:
        return
    rows = sorted((*key, contact_id, at) for key, (contact_id, at) in seen.items())
    await connection.execute(
        """
        INSERT INTO conversations (company_id, conversation_id, contact_id, last_message_at)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
        ON CONFLICT (company_id, conversation_id) DO UPDATE
            SET last_message_at = greatest(conversations.last_message_at, excluded.last_message_at)
        """,
        *zip(*rows, strict=True),
    )


async def known(connection: Connection, keys: Collection[ConversationKey]) -> set[ConversationKey]:
    """Which of these belong to their company."""
    if not keys:
        return set()
    rows = await connection.fetch(
        """
        SELECT company_id, conversation_id FROM unnest($1::text[], $2::text[]) AS wanted (company_id, conversation_id)
        JOIN conversations USING (company_id, conversation_id)
        """,
        *zip(*keys, strict=True),
    )
    return {(row[0], row[1]) for row in rows}
