"""The first schema: companies' projections, cadences, enrollments, the log and the road's bookkeeping.

Every tenant-owned table's key starts with ``company_id`` and every reference is composite, so that a row of one company
cannot point at another's even by a programming error.
"""

from cadence_engine.storage.migrations.steps import in_transaction

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None
phase = "expand"

SCHEMA = """
-- Projections of what other services own. A field's *_at is the Kafka time of the record that told it: older knowledge
-- never replaces newer, field by field.

CREATE TABLE companies (
    company_id        text PRIMARY KEY CHECK (length(company_id) BETWEEN 1 AND 200),
    name              text,
    name_at           timestamptz,
    time_zone         text,                              -- IANA; null: the default of the settings
    time_zone_at      timestamptz,
    locale            text,                              -- BCP 47
    locale_at         timestamptz,
    inactive_days     integer NOT NULL DEFAULT 21 CHECK (inactive_days > 0),
    inactivity_limit  integer DEFAULT 100 CHECK (inactivity_limit >= 0),   -- enrollments per local day; null: none
    detector_hour     smallint NOT NULL DEFAULT 9 CHECK (detector_hour BETWEEN 0 AND 23),
    revision          bigint NOT NULL DEFAULT 0          -- moves with every change: parked enrollments compare it
);

-- Who held all steps of a company, or of every one, when and why.
CREATE TABLE halts (
    halt_id     uuid PRIMARY KEY,
    company_id  text REFERENCES companies,               -- null: of every company
    started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_by  text NOT NULL,
    reason      text NOT NULL,
    ended_at    timestamptz,                             -- null: in force
    ended_by    text,
    end_reason  text,
    CHECK ((ended_by IS NOT NULL) = (ended_at IS NOT NULL)),
    CHECK (end_reason IS NULL OR ended_at IS NOT NULL)
);
CREATE UNIQUE INDEX halts_in_force ON halts (company_id) NULLS NOT DISTINCT WHERE ended_at IS NULL;

-- Companies that were deleted: records not newer are dropped, their contacts are erased one batch after the other.
CREATE TABLE company_erasures (
    company_id     text PRIMARY KEY REFERENCES companies,
    erased_at      timestamptz NOT NULL,                 -- of the newest deletion
    asked_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    source         text,                                 -- the event that told it,
    event_id       text,
    actor          text,                                 -- or who asked for it
    reason         text,
    after_contact  text NOT NULL DEFAULT '',             -- keyset: the next batch starts behind this contact
    finished_at    timestamptz,                          -- null: contacts are left
    CHECK ((source IS NULL) = (event_id IS NULL) AND (source IS NULL) <> (actor IS NULL))
);
CREATE INDEX company_erasures_unfinished ON company_erasures (asked_at) WHERE finished_at IS NULL;

CREATE TABLE contacts (
    company_id            text NOT NULL REFERENCES companies,
    contact_id            text NOT NULL CHECK (length(contact_id) BETWEEN 1 AND 200),
    name                  text,
    name_at               timestamptz,
    phone                 text,                          -- E.164
    phone_at              timestamptz,
    locale                text,
    locale_at             timestamptz,
    time_zone             text,
    time_zone_at          timestamptz,
    tags_at               timestamptz,
    opted_out             boolean NOT NULL DEFAULT false,
    opted_out_at          timestamptz,                   -- of the newest preference, stop or resume
    last_message_at       timestamptz,                   -- either direction
    last_inbound_at       timestamptz,
    last_conversation_id  text,
    last_conversation_at  timestamptz,
    mentioned_at          timestamptz,                   -- of the newest record of it but preference, deletion
    erased_at             timestamptz,                   -- the newest deletion: records not newer are dropped
    erased                boolean NOT NULL               -- deleted, and nothing newer is known
        GENERATED ALWAYS AS (coalesce(mentioned_at <= erased_at, erased_at IS NOT NULL)) STORED,
    revision              bigint NOT NULL DEFAULT 0,     -- moves with every change: parked enrollments compare it
    PRIMARY KEY (company_id, contact_id),
    CHECK (NOT erased OR coalesce(name, phone, locale, time_zone, last_conversation_id) IS NULL)
);
CREATE INDEX contacts_by_silence ON contacts (company_id, last_message_at, contact_id)
    WHERE last_message_at IS NOT NULL;

CREATE TABLE contact_tags (
    company_id  text NOT NULL,
    contact_id  text NOT NULL,
    owner       text NOT NULL CHECK (owner IN ('crm', 'cadence')),   -- who put it there, and alone may take it away
    tag         text NOT NULL CHECK (length(tag) BETWEEN 1 AND 200),
    PRIMARY KEY (company_id, contact_id, owner, tag),
    FOREIGN KEY (company_id, contact_id) REFERENCES contacts
);

CREATE TABLE conversations (
    company_id       text NOT NULL,
    conversation_id  text NOT NULL CHECK (length(conversation_id) BETWEEN 1 AND 200),
    contact_id       text NOT NULL,
    last_message_at  timestamptz NOT NULL,
    PRIMARY KEY (company_id, conversation_id),
    FOREIGN KEY (company_id, contact_id) REFERENCES contacts
);

CREATE TABLE leads (
    company_id  text NOT NULL REFERENCES companies,
    lead_id     text NOT NULL CHECK (length(lead_id) BETWEEN 1 AND 200),
    board_id    text,
    board_id_at timestamptz,
    contact_id  text,
    contact_id_at timestamptz,
    revision    bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (company_id, lead_id),
    FOREIGN KEY (company_id, contact_id) REFERENCES contacts
);

-- Definitions.

CREATE TABLE cadences (
    company_id       text NOT NULL REFERENCES companies,
    cadence_id       uuid NOT NULL,
    key              text NOT NULL CHECK (length(key) BETWEEN 1 AND 100),
    trigger_event    text NOT NULL,                      -- of the current version: one locked row answers who enters
    status           text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'paused', 'archived')),
    status_at        timestamptz NOT NULL DEFAULT now(),
    settled          boolean NOT NULL DEFAULT true,      -- false: live rows are still being moved to fit the status
    actor            text,                               -- who set the status
    reason           text,                               -- and why
    current_version  integer NOT NULL CHECK (current_version > 0),
    free_from        timestamptz,                        -- what was overdue at its resumption has moments up to here
    PRIMARY KEY (company_id, cadence_id),
    UNIQUE (company_id, key),
    CHECK (free_from IS NULL OR status = 'active')
);
CREATE INDEX cadences_unsettled ON cadences (company_id, cadence_id) WHERE NOT settled;

CREATE TABLE cadence_versions (                          -- immutable once written
    company_id     text NOT NULL,
    cadence_id     uuid NOT NULL,
    version        integer NOT NULL CHECK (version > 0),
    definition     jsonb NOT NULL,                       -- domain.cadence.Definition
    actor          text NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, cadence_id, version),
    FOREIGN KEY (company_id, cadence_id) REFERENCES cadences
);
ALTER TABLE cadences ADD FOREIGN KEY (company_id, cadence_id, current_version) REFERENCES cadence_versions
    DEFERRABLE INITIALLY DEFERRED;

CREATE TABLE cadence_drafts (                            -- what is to become a version; its cadence may not exist yet
    company_id     text NOT NULL REFERENCES companies,
    key            text NOT NULL CHECK (length(key) BETWEEN 1 AND 100),
    revision       integer NOT NULL CHECK (revision >= 0),  -- moves with every edit, and never begins anew
    definition     jsonb,                                -- null: published or discarded; the row keeps the revision
    based_on       integer,                              -- the version that was current when it was begun; null: none
    actor          text NOT NULL,                        -- who edited, published or discarded it last
    edited_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, key),
    CHECK (definition IS NULL OR revision > 0)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% rows are immutable: publish a new one', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER cadence_versions_immutable BEFORE UPDATE ON cadence_versions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Enrollments: one passage of a contact through a version.

CREATE TABLE cadence_enrollments (
    company_id       text NOT NULL,
    enrollment_id    uuid NOT NULL,
    cadence_id       uuid NOT NULL,
    version          integer NOT NULL,
    contact_id       text NOT NULL,
    lead_id          text,
    conversation_id  text,
    status           text NOT NULL CHECK (status IN ('active', 'paused', 'parked', 'completed', 'cancelled')),
    step_index       integer NOT NULL CHECK (step_index >= 0),
    next_run_at      timestamptz,                        -- active: when to run; parked: when it was due
    wait_left        interval,                           -- paused: what is left of the wait
    revision         integer NOT NULL CHECK (revision > 0),
    trigger          text NOT NULL,
    triggered_at     timestamptz NOT NULL,               -- Kafka time of the trigger: replies are compared with it
    started_at       timestamptz NOT NULL,
    ended_at         timestamptz,
    cancel_reason    text,
    context          jsonb NOT NULL DEFAULT '{}',
    park_reason      text CHECK (park_reason IN ('missing_variable', 'unreachable', 'internal_error')),
    park_detail      text,
    parked_knowing   text,                               -- revisions of the facts it was decided on
    paused_by        text CHECK (paused_by IN ('cadence', 'operator')),
    held_due_at      timestamptz,                        -- paused: when the step was due
    resume_at        timestamptz,                        -- paused: when it goes on by itself; null: when told to
    traceparent      text CHECK (length(traceparent) = 55),  -- W3C trace context of what began it; null: not traced
    PRIMARY KEY (company_id, enrollment_id),
    FOREIGN KEY (company_id, cadence_id, version) REFERENCES cadence_versions,
    FOREIGN KEY (company_id, contact_id) REFERENCES contacts,
    FOREIGN KEY (company_id, lead_id) REFERENCES leads,
    FOREIGN KEY (company_id, conversation_id) REFERENCES conversations,
    CHECK ((next_run_at IS NOT NULL) = (status IN ('active', 'parked'))),
    CHECK ((wait_left IS NOT NULL) = (status = 'paused')),
    CHECK ((paused_by IS NOT NULL) = (status = 'paused')),
    CHECK ((held_due_at IS NOT NULL) = (status = 'paused')),
    CHECK (resume_at IS NULL OR paused_by = 'operator'),
    CHECK ((park_reason IS NOT NULL) = (status = 'parked')),
    CHECK ((ended_at IS NOT NULL) = (status IN ('completed', 'cancelled'))),
    CHECK ((cancel_reason IS NOT NULL) = (status = 'cancelled'))
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX enrollments_due ON cadence_enrollments (next_run_at) WHERE status = 'active';
CREATE INDEX enrollments_due_of_company ON cadence_enrollments (company_id, next_run_at) WHERE status = 'active';
CREATE UNIQUE INDEX enrollments_one_live ON cadence_enrollments (company_id, contact_id, cadence_id)
    WHERE status IN ('active', 'paused', 'parked');
CREATE INDEX enrollments_ended ON cadence_enrollments (company_id, contact_id, cadence_id, started_at)
    WHERE status IN ('completed', 'cancelled');
CREATE INDEX enrollments_parked ON cadence_enrollments (company_id, enrollment_id) WHERE status = 'parked';
CREATE INDEX enrollments_paused ON cadence_enrollments (company_id, enrollment_id) WHERE status = 'paused';
CREATE INDEX enrollments_resuming ON cadence_enrollments (resume_at) WHERE resume_at IS NOT NULL;

-- Callers' idempotency keys and what was answered under them, so that a request that is sent again gets the same
-- answers. Kept for some days after their last use.

CREATE TABLE idempotency_keys (
    company_id       text NOT NULL,
    idempotency_key  text NOT NULL CHECK (length(idempotency_key) BETWEEN 1 AND 200),
    used_for         text NOT NULL,                      -- tells the request from every other
    used_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, idempotency_key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (used_at);

CREATE TABLE enroll_many_answers (
    company_id       text NOT NULL,
    idempotency_key  text NOT NULL,
    row_number       integer NOT NULL CHECK (row_number > 0),
    digest           text NOT NULL,                      -- of what the row said
    outcome          text NOT NULL CHECK (outcome IN ('created', 'already_active', 'refused')),
    enrollment_id    uuid,
    refusal          text,
    PRIMARY KEY (company_id, idempotency_key, row_number),
    FOREIGN KEY (company_id, idempotency_key) REFERENCES idempotency_keys,
    CHECK ((enrollment_id IS NULL) = (outcome = 'refused')),
    CHECK ((refusal IS NOT NULL) = (outcome = 'refused'))
);

CREATE TABLE replay_answers (                            -- a row for some hundred letters: they go with their key
    company_id       text NOT NULL,
    idempotency_key  text NOT NULL,
    begins           text NOT NULL,                      -- where the batch does: topic/partition/offset; the first: ''
    answer           jsonb NOT NULL,
    PRIMARY KEY (company_id, idempotency_key, begins),
    FOREIGN KEY (company_id, idempotency_key) REFERENCES idempotency_keys ON DELETE CASCADE
);

-- What began the passages of deleted contacts, so that it begins none again when its producer repeats it as if it were
-- news: the inbox forgets ids after some days. A digest of `source`, a newline and `id` behind the salt.

CREATE TABLE erased_creations (
    company_id  text NOT NULL,
    contact_id  text NOT NULL,
    salt        bytea NOT NULL,
    digest      bytea NOT NULL,
    PRIMARY KEY (company_id, contact_id, digest),
    FOREIGN KEY (company_id, contact_id) REFERENCES contacts
);

-- The log, which is the outbox. Batch order is commit order for one enrollment: the id is drawn as the last statement.

CREATE TABLE event_batches (
    batch_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    logged_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    published_at  timestamptz,                           -- null: not yet known to be on Kafka
    counted       boolean NOT NULL DEFAULT false,        -- whether `cadence_counts` holds its events
    traceparent   text CHECK (length(traceparent) = 55)  -- W3C trace context of the transaction; null: not traced
);
CREATE INDEX event_batches_uncounted ON event_batches (batch_id) INCLUDE (logged_at) WHERE NOT counted;
CREATE INDEX event_batches_unpublished ON event_batches (batch_id) INCLUDE (logged_at) WHERE published_at IS NULL;

CREATE TABLE cadence_events (
    logged_at      timestamptz NOT NULL,                 -- of the batch, so that the partition is known
    batch_id       bigint NOT NULL,
    position       integer NOT NULL,                     -- within the batch
    type           text NOT NULL,                        -- its topic follows from it; see bus/relay
    event_id       uuid NOT NULL,
    company_id     text,                                 -- null only for dead letters that name no company
    contact_id     text,
    enrollment_id  uuid,
    revision       integer,
    data           jsonb NOT NULL,                       -- the event's wire data
    PRIMARY KEY (logged_at, batch_id, position)
) PARTITION BY RANGE (logged_at);
CREATE INDEX cadence_events_of_enrollment ON cadence_events (company_id, enrollment_id)
    WHERE enrollment_id IS NOT NULL;
CREATE INDEX cadence_events_of_contact ON cadence_events (company_id, contact_id)
    WHERE type IN ('cadence.enrollment.refused', 'cadence.contact.erased');
CREATE TABLE cadence_events_default PARTITION OF cadence_events DEFAULT;

CREATE TABLE log_kept (                                  -- one row
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    since  timestamptz                                   -- what was logged before is deleted; null: everything is kept
);
INSERT INTO log_kept DEFAULT VALUES;

CREATE TABLE cadence_counts (                            -- of the log's counted batches: what a funnel is made of
    company_id  text NOT NULL,
    cadence_id  uuid NOT NULL,
    version     integer NOT NULL,
    type        text NOT NULL,
    step_index  integer NOT NULL,                        -- -1: of the passage as a whole
    reason      text NOT NULL,                           -- of a cancellation; of a move the version before
    amount      bigint NOT NULL CHECK (amount > 0),
    PRIMARY KEY (company_id, cadence_id, version, type, step_index, reason),
    FOREIGN KEY (company_id, cadence_id, version) REFERENCES cadence_versions
);

CREATE TABLE dead_letters (
    topic             text NOT NULL,
    partition         integer NOT NULL,
    record_offset     bigint NOT NULL,
    record_timestamp  bigint NOT NULL,                   -- as Kafka has it: milliseconds since 1970
    key               bytea,
    value             bytea,
    header_names      text[] NOT NULL,
    header_values     bytea[] NOT NULL,
    reason            text NOT NULL,
    detail            text NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT now(),
    company_id        text,                              -- whom the record names; null: the platform's own to look at
    contact_id        text,
    state             text NOT NULL DEFAULT 'kept' CHECK (state IN ('kept', 'replayed', 'dropped')),
    settled_at        timestamptz,                       -- when it was replayed or dropped
    settled_by        text,                              -- the operator, or `erase`
    settled_reason    text,
    PRIMARY KEY (topic, partition, record_offset),
    CHECK (contact_id IS NULL OR company_id IS NOT NULL),
    CHECK ((settled_at IS NOT NULL) = (state <> 'kept')),
    CHECK ((settled_by IS NOT NULL) = (state <> 'kept')),
    CHECK (state <> 'dropped' OR settled_reason IS NOT NULL),
    -- What is settled is a tombstone: nothing of the record itself stays.
    CHECK (state = 'kept' OR (key IS NULL AND value IS NULL AND header_names = '{}' AND header_values = '{}'))
);
CREATE INDEX dead_letters_by_time ON dead_letters (created_at, topic, partition, record_offset);
CREATE INDEX dead_letters_of_company ON dead_letters (company_id, created_at, topic, partition, record_offset);
CREATE INDEX dead_letters_of_contact ON dead_letters (company_id, contact_id)
    WHERE contact_id IS NOT NULL AND state = 'kept';

-- The road's bookkeeping.

CREATE TABLE inbox (
    source      text NOT NULL,
    event_id    text NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, event_id)
);
CREATE INDEX inbox_by_age ON inbox USING brin (applied_at);

CREATE TABLE stream_progress (
    topic        text NOT NULL,
    partition    integer NOT NULL,
    next_offset  bigint NOT NULL CHECK (next_offset >= 0),
    PRIMARY KEY (topic, partition)
);

CREATE TABLE reply_gate (                                -- one row
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    watermark  timestamptz NOT NULL                      -- every stopping record acknowledged up to here is applied
);
INSERT INTO reply_gate (watermark) VALUES ('epoch');

CREATE TABLE relay_state (                               -- one row
    one          boolean PRIMARY KEY DEFAULT true CHECK (one),
    last_mark    bigint NOT NULL DEFAULT 0 CHECK (last_mark >= 0),   -- number of the last Kafka transaction
    last_digest  text NOT NULL DEFAULT '',               -- of every event published so far, in order
    last_batches bigint[] NOT NULL DEFAULT '{}',                     -- what that transaction carried
    leader       text,
    lease_until  timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO relay_state DEFAULT VALUES;

CREATE TABLE detector_runs (
    company_id       text NOT NULL REFERENCES companies,
    local_date       date NOT NULL,
    started_at       timestamptz NOT NULL DEFAULT now(),
    finished_at      timestamptz,
    enrolled         integer NOT NULL DEFAULT 0,
    after_silence    timestamptz,                        -- keyset: the next page starts behind this contact
    after_contact    text,
    PRIMARY KEY (company_id, local_date)
);
CREATE INDEX detector_runs_by_date ON detector_runs (local_date);
"""


def upgrade() -> None:
    in_transaction(SCHEMA)


def downgrade() -> None:
    raise RuntimeError("the first migration has nothing to go back to: drop the database instead")
