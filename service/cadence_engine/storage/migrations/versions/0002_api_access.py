"""Who may call the API: its keys, and a role that sees one company's rows alone.

Row-level security is a second wall. Every statement names its company by itself; should one forget it, the role
`cadence_api` still gets no row of another company, and none at all where no company was set.
"""

from cadence_engine.storage.migrations.steps import in_transaction

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
phase = "expand"

SCHEMA = """
CREATE TABLE api_keys (                                  -- not for the role below
    company_id  text NOT NULL REFERENCES companies,
    key_id      text NOT NULL UNIQUE CHECK (key_id ~ '^[0-9a-f]{12}$'),   -- no secret: part of the key as it is written
    name        text NOT NULL,
    digest      bytea NOT NULL CHECK (length(digest) = 32),               -- SHA-256 of the key as it is written
    scopes      text[] NOT NULL CHECK (scopes <@ ARRAY['read', 'operate', 'define', 'admin'] AND scopes <> '{}'),
    created_at  timestamptz NOT NULL,
    created_by  text NOT NULL,
    expires_at  timestamptz,                             -- null: never
    revoked_at  timestamptz,
    revoked_by  text,
    rotated_to  text,                                    -- the key that takes its place
    PRIMARY KEY (company_id, key_id),
    CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);

DO $$                                                    -- a role belongs to all databases of a server
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'cadence_api') THEN
        CREATE ROLE cadence_api NOLOGIN;
    END IF;
    IF NOT pg_has_role(current_user, 'cadence_api',
        CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END) THEN
        EXECUTE format('GRANT cadence_api TO %I', current_user);
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL; -- made at the same moment for another database
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'the API needs the role cadence_api, and % may not make it', current_user
            USING HINT = format('As an administrator: CREATE ROLE cadence_api NOLOGIN; GRANT cadence_api TO %I;',
                current_user);
END $$;

DO $$                                                    -- every table that has a company, whichever they are by now
DECLARE owned regclass;
BEGIN
    FOR owned IN
        SELECT c.oid::regclass FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
            AND a.attname = 'company_id' AND NOT a.attisdropped AND c.relname <> 'api_keys'
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', owned);
        EXECUTE format($policy$
            CREATE POLICY of_one_company ON %s TO cadence_api
            USING (company_id = current_setting('cadence.company', true))
            WITH CHECK (company_id = current_setting('cadence.company', true))
        $policy$, owned);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO cadence_api', owned);
    END LOOP;
END $$;
CREATE POLICY of_everybody ON halts FOR SELECT TO cadence_api USING (company_id IS NULL);
GRANT SELECT ON reply_gate, log_kept TO cadence_api;
GRANT SELECT, INSERT ON inbox TO cadence_api;            -- a replayed record is applied once
GRANT SELECT, INSERT ON event_batches TO cadence_api;    -- ids and times: the log's rows are its tenants'
GRANT UPDATE (batch_id) ON event_batches TO cadence_api; -- to lock them, as erasing does: that column never changes
"""


def upgrade() -> None:
    in_transaction(SCHEMA)


def downgrade() -> None:
    raise RuntimeError("api_keys would be lost: restore a copy of the database instead")
