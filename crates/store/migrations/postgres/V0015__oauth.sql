-- Tokens that people signed in for, and sign-ins that are under way.

-- What is known of a connection's tokens without opening them, and who is renewing them.
ALTER TABLE connections ADD COLUMN oauth bytea;

-- Doors of the kind `oauth_state` lead here.
CREATE TABLE oauth_states (
    tenant     uuid        NOT NULL,
    id         uuid        NOT NULL,
    hash       bytea       NOT NULL CHECK (octet_length(hash) = 32),
    pending    bytea       NOT NULL,
    created_at timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);
SELECT guard('oauth_states', 'SELECT, INSERT, DELETE');
