-- Tokens that people signed in for, and sign-ins that are under way.

-- What is known of a connection's tokens without opening them, and who is renewing them.
ALTER TABLE connections ADD COLUMN oauth TEXT;

-- Doors of the kind `oauth_state` lead here.
CREATE TABLE oauth_states (
    tenant     BLOB    NOT NULL CHECK (length(tenant) = 16),
    id         BLOB    NOT NULL CHECK (length(id) = 16),
    hash       BLOB    NOT NULL CHECK (length(hash) = 32),
    pending    BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    ends_at    INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
