-- Credentials that connections share.

CREATE TABLE credentials (
    tenant         BLOB    NOT NULL CHECK (length(tenant) = 16),
    id             BLOB    NOT NULL CHECK (length(id) = 16),
    name           TEXT    NOT NULL,
    description    TEXT,
    environment    TEXT    NOT NULL CHECK (environment IN ('development', 'staging', 'production')),
    kind           TEXT    NOT NULL,
    connector      TEXT,
    auth           TEXT,
    config         TEXT    NOT NULL,
    secret_version INTEGER NOT NULL,
    metadata       TEXT    NOT NULL,
    expires_at     INTEGER,
    notice_at      INTEGER,
    rotated_at     INTEGER,
    version        INTEGER NOT NULL,
    created_by     TEXT    NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, name)
) STRICT;

-- Whose expiry is to be announced, of all tenants: only those of which something is left to say.
CREATE INDEX credentials_by_notice ON credentials (notice_at) WHERE notice_at IS NOT NULL;

-- The secret fields of a credential, as the vault sealed them.
CREATE TABLE credential_secrets (
    tenant     BLOB    NOT NULL,
    credential BLOB    NOT NULL,
    field      TEXT    NOT NULL,
    sealed     BLOB    NOT NULL,
    last4      TEXT,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, credential, field),
    FOREIGN KEY (tenant, credential) REFERENCES credentials (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- The credential that a connection points to instead of holding secrets of its own. The verbs that write it look whether
-- it is there, in their own transaction: a column that is added cannot be half of a foreign key.
ALTER TABLE connections ADD COLUMN credential BLOB CHECK (credential IS NULL OR length(credential) = 16);

CREATE INDEX connections_by_credential ON connections (tenant, credential) WHERE credential IS NOT NULL;
