-- Credentials that connections share.

CREATE TABLE credentials (
    tenant         uuid        NOT NULL,
    id             uuid        NOT NULL,
    name           bytea       NOT NULL,
    description    bytea,
    environment    text        NOT NULL CHECK (environment IN ('development', 'staging', 'production')),
    kind           bytea       NOT NULL,
    connector      bytea,
    auth           bytea,
    config         bytea       NOT NULL,
    secret_version bigint      NOT NULL,
    metadata       bytea       NOT NULL,
    expires_at     timestamptz,
    notice_at      timestamptz,
    rotated_at     timestamptz,
    version        bigint      NOT NULL,
    created_by     bytea       NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, name)
);
SELECT guard('credentials', 'SELECT, INSERT, UPDATE, DELETE');
SELECT reveal('credentials', 'SELECT (tenant, id, notice_at)');

-- Whose expiry is to be announced, of all tenants: only those of which something is left to say.
CREATE INDEX credentials_by_notice ON credentials (notice_at) WHERE notice_at IS NOT NULL;

CREATE FUNCTION due_credentials(moment timestamptz, most bigint) RETURNS TABLE (tenant uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.tenant, c.id FROM tieline.credentials c WHERE c.notice_at <= moment
    ORDER BY c.notice_at, c.tenant, c.id LIMIT most
$$;
SELECT hand_over('due_credentials');

-- The secret fields of a credential, as the vault sealed them.
CREATE TABLE credential_secrets (
    tenant     uuid        NOT NULL,
    credential uuid        NOT NULL,
    field      bytea       NOT NULL,
    sealed     bytea       NOT NULL,
    last4      bytea,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, credential, field),
    FOREIGN KEY (tenant, credential) REFERENCES credentials (tenant, id) ON DELETE CASCADE
);
SELECT guard('credential_secrets', 'SELECT, INSERT, DELETE');

-- The credential that a connection points to instead of holding secrets. The verbs that write it look whether it is there
-- and say so in words; the key is the second wall.
ALTER TABLE connections ADD COLUMN credential uuid;
ALTER TABLE connections ADD FOREIGN KEY (tenant, credential) REFERENCES credentials (tenant, id);

CREATE INDEX connections_by_credential ON connections (tenant, credential) WHERE credential IS NOT NULL;
