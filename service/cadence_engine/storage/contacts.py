"""Contacts: the lock that serialises everything about a person, and what is known of them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from operator import attrgetter

import asyncpg

from cadence_engine.domain.contact import Contact, ContactKey
from cadence_engine.domain.known import Known
from cadence_engine.storage import companies, many
from cadence_engine.storage.connection import Connection

# Most changes are messages: what they change has a statement of its own.
MESSAGED = """
    UPDATE contacts SET
        last_message_at = new.last_message_at, last_inbound_at = new.last_inbound_at,
        last_conversation_id = new.last_conversation_id, last_conversation_at = new.last_conversation_at,
        mentioned_at = new.mentioned_at, revision = contacts.revision + 1
    FROM unnest(
        $1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::timestamptz[], $7::timestamptz[]
    ) AS new (company_id, contact_id, last_message_at, last_inbound_at, last_conversation_id, last_conversation_at,
        mentioned_at)
    WHERE contacts.company_id = new.company_id AND contacts.contact_id = new.contact_id
"""
TOLD = """
    UPDATE contacts SET
        name = new.name, name_at = new.name_at, phone = new.phone, phone_at = new.phone_at,
        locale = new.locale, locale_at = new.locale_at, time_zone = new.time_zone, time_zone_at = new.time_zone_at,
        tags_at = new.tags_at, opted_out = new.opted_out, opted_out_at = new.opted_out_at,
        last_message_at = new.last_message_at, last_inbound_at = new.last_inbound_at,
        last_conversation_id = new.last_conversation_id, last_conversation_at = new.last_conversation_at,
        mentioned_at = new.mentioned_at, erased_at = new.erased_at,
        revision = contacts.revision + 1
    FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::timestamptz[], $7::text[],
        $8::timestamptz[], $9::text[], $10::timestamptz[], $11::timestamptz[], $12::bool[], $13::timestamptz[],
        $14::timestamptz[], $15::timestamptz[], $16::text[], $17::timestamptz[], $18::timestamptz[],
        $19::timestamptz[]
    ) AS new (company_id, contact_id, name, name_at, phone, phone_at, locale, locale_at, time_zone, time_zone_at,
        tags_at, opted_out, opted_out_at, last_message_at, last_inbound_at,
        last_conversation_id, last_conversation_at, mentioned_at, erased_at)
    WHERE contacts.company_id = new.company_id AND contacts.contact_id = new.contact_id
"""


BY_MESSAGES = {"last_message_at", "last_inbound_at", "last_conversation", "mentioned_at"}
_beside_messages = attrgetter(*(field for field in Contact._fields if field not in BY_MESSAGES))


async def lock(connection: Connection, keys: Collection[ContactKey]) -> dict[ContactKey, Contact]:
    """The contacts under `keys`, held until the transaction ends; an unknown one is left out (see `write`).

    Whoever reads or changes a contact's enrollments (but the claim) does this first, and reads them after: otherwise a
    reply that races an enroll finds nothing to cancel, and the enrollment goes on.
    """
    company_ids, contact_ids = _columns(keys)
    rows = await connection.fetch(
        """
        SELECT contact.* FROM unnest($1::text[], $2::text[]) AS wanted (company_id, contact_id)
        JOIN contacts contact USING (company_id, contact_id)
        ORDER BY contact.company_id, contact.contact_id
        FOR NO KEY UPDATE OF contact
        """,
        company_ids,
        contact_ids,
    )
    return {(row["company_id"], row["contact_id"]): _contact(row) for row in rows}


async def read(connection: Connection, keys: Collection[ContactKey]) -> dict[ContactKey, Contact]:
    """The contacts under `keys` as they are now, for answers; for what is written of them, see `lock`."""
    company_ids, contact_ids = _columns(keys)
    rows = await connection.fetch(
        """
        SELECT contact.* FROM unnest($1::text[], $2::text[]) AS wanted (company_id, contact_id)
        JOIN contacts contact USING (company_id, contact_id)
        """,
        company_ids,
        contact_ids,
    )
    return {(row["company_id"], row["contact_id"]): _contact(row) for row in rows}


async def lock_or_imagine(
    connection: Connection, keys: Collection[ContactKey]
) -> tuple[dict[ContactKey, Contact], dict[ContactKey, Contact]]:
    """The same, and beside them all that records may tell of: of an unknown contact a stub, which `write` adds."""
    locked = await lock(connection, keys)
    return locked, {key: locked.get(key) or Contact(*key) for key in keys}


async def lock_mentioned(connection: Connection, mentions: Mapping[ContactKey, datetime]) -> dict[ContactKey, Contact]:
    """The same, of contacts that records name and tell nothing about, unknown ones too; the newest time is noted."""
    if not mentions:
        return {}
    company_ids, contact_ids = _columns(mentions)
    await companies.ensure(connection, company_ids)
    # An update locks as `lock` does, and in its order. The revision stays: no step is decided on a mention.
    rows = await connection.fetch(
        """
        INSERT INTO contacts (company_id, contact_id, mentioned_at)
        SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS named (company_id, contact_id, at)
        ORDER BY company_id, contact_id
        ON CONFLICT (company_id, contact_id) DO UPDATE
            SET mentioned_at = greatest(contacts.mentioned_at, excluded.mentioned_at)
        RETURNING *
        """,
        company_ids,
        contact_ids,
        [mentions[key] for key in zip(company_ids, contact_ids, strict=True)],
    )
    return {(row["company_id"], row["contact_id"]): _contact(row) for row in rows}


async def write(
    connection: Connection, known: Mapping[ContactKey, Contact], locked: Mapping[ContactKey, Contact]
) -> list[Contact]:
    """Write what is known beyond what `lock` found; the contacts that changed, without those that are new.

    Raises UniqueViolationError (`contacts_pkey`) where another transaction has added one of the new meanwhile:
    `database.run` then does all again.
    """
    changed = [contact for key, contact in known.items() if key in locked and contact is not locked[key]]
    messaged: list[Contact] = []
    told: list[Contact] = []
    for contact in changed:
        (messaged if _only_messaged(locked[contact.key], contact) else told).append(contact)
    await _add(connection, [contact for key, contact in known.items() if key not in locked])
    await many.execute(connection, MESSAGED, map(_messages, messaged))
    await many.execute(connection, TOLD, map(_values, told))
    return changed


async def _add(connection: Connection, contacts: Sequence[Contact]) -> None:
    if contacts:
        await companies.ensure(connection, {contact.company_id for contact in contacts})
        rows = map(_values, sorted(contacts, key=lambda contact: contact.key))
        await connection.copy_records_to_table("contacts", columns=COLUMNS, records=rows)


async def replace_tags(connection: Connection, tags: Mapping[ContactKey, Collection[str]]) -> None:
    """What the owner of the contacts says their tags are; those that cadences put there stay."""
    company_ids, contact_ids = _columns(tags)
    await connection.execute(
        """
        DELETE FROM contact_tags USING unnest($1::text[], $2::text[]) AS told (company_id, contact_id)
        WHERE contact_tags.company_id = told.company_id AND contact_tags.contact_id = told.contact_id
            AND owner = 'crm'
        """,
        company_ids,
        contact_ids,
    )
    await _add_tags(connection, "crm", tags)


async def add_completion_tags(connection: Connection, tags: Mapping[ContactKey, Collection[str]]) -> None:
    """Put tags of cadences on contacts, beside those of others; takes no lock on the contacts."""
    await _add_tags(connection, "cadence", tags)


async def forget_tags(connection: Connection, keys: Collection[ContactKey]) -> None:
    """Take every tag away, whoever put it there."""
    await connection.execute(
        """
        DELETE FROM contact_tags USING unnest($1::text[], $2::text[]) AS gone (company_id, contact_id)
        WHERE contact_tags.company_id = gone.company_id AND contact_tags.contact_id = gone.contact_id
        """,
        *_columns(keys),
    )


async def _add_tags(connection: Connection, owner: str, tags: Mapping[ContactKey, Collection[str]]) -> None:
    rows = sorted((*key, tag) for key, names in tags.items() for tag in set(names))
    if rows:
        company_ids, contact_ids, names = zip(*rows, strict=True)
        await connection.execute(
            """
            INSERT INTO contact_tags (company_id, contact_id, owner, tag)
            SELECT company_id, contact_id, $1, tag
            FROM unnest($2::text[], $3::text[], $4::text[]) AS new (company_id, contact_id, tag)
            ON CONFLICT DO NOTHING
            """,
            owner,
            company_ids,
            contact_ids,
            names,
        )


def _columns(keys: Collection[ContactKey]) -> tuple[list[str], list[str]]:
    ordered = sorted(set(keys))
    return [key[0] for key in ordered], [key[1] for key in ordered]


COLUMNS = (
    "company_id",
    "contact_id",
    "name",
    "name_at",
    "phone",
    "phone_at",
    "locale",
    "locale_at",
    "time_zone",
    "time_zone_at",
    "tags_at",
    "opted_out",
    "opted_out_at",
    "last_message_at",
    "last_inbound_at",
    "last_conversation_id",
    "last_conversation_at",
    "mentioned_at",
    "erased_at",
)
"""What `_values` gives."""


def _only_messaged(before: Contact, after: Contact) -> bool:
    return _beside_messages(before) == _beside_messages(after)


def _messages(contact: Contact) -> tuple[object, ...]:
    return (
        contact.company_id,
        contact.contact_id,
        contact.last_message_at,
        contact.last_inbound_at,
        contact.last_conversation.value,
        contact.last_conversation.at,
        contact.mentioned_at,
    )


def _values(contact: Contact) -> tuple[object, ...]:
    return (
        contact.company_id,
        contact.contact_id,
        contact.name.value,
        contact.name.at,
        contact.phone.value,
        contact.phone.at,
        contact.locale.value,
        contact.locale.at,
        contact.time_zone.value,
        contact.time_zone.at,
        contact.tags_at,
        contact.opted_out.value,
        contact.opted_out.at,
        contact.last_message_at,
        contact.last_inbound_at,
        contact.last_conversation.value,
        contact.last_conversation.at,
        contact.mentioned_at,
        contact.erased_at,
    )


def _contact(row: asyncpg.Record) -> Contact:
    return Contact(
        company_id=row["company_id"],
        contact_id=row["contact_id"],
        name=Known(row["name"], row["name_at"]),
        phone=Known(row["phone"], row["phone_at"]),
        locale=Known(row["locale"], row["locale_at"]),
        time_zone=Known(row["time_zone"], row["time_zone_at"]),
        tags_at=row["tags_at"],
        opted_out=Known(row["opted_out"], row["opted_out_at"]),
        last_message_at=row["last_message_at"],
        last_inbound_at=row["last_inbound_at"],
        last_conversation=Known(row["last_conversation_id"], row["last_conversation_at"]),
        mentioned_at=row["mentioned_at"],
        erased_at=row["erased_at"],
        revision=row["revision"],
    )
