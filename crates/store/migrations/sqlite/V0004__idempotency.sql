-- Requests that are run once, by what their key, principal and route come to. Both blobs are sealed.
--
-- With a rowid, for an answer may have many kilobytes.

CREATE TABLE idempotency (
    tenant     BLOB    NOT NULL CHECK (length(tenant) = 16),
    id         BLOB    NOT NULL CHECK (length(id) = 16),
    request    BLOB    NOT NULL,
    attempt    INTEGER NOT NULL,
    until      INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    answer     BLOB,
    PRIMARY KEY (tenant, id)
) STRICT;

CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);
