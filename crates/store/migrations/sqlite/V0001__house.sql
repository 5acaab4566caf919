-- Tenants, API keys, connections, data keys, the audit chain and the feed.
--
-- Identifiers are 16 bytes, times are microseconds since 1970. Every key of a tenant's table begins with the tenant,
-- so that no constraint can tell one tenant about another. Rows do not refer to `tenants`: an embedder's one fixed
-- tenant needs no row there.

CREATE TABLE tenants (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name       TEXT    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What is looked up before the tenant is known: ids only, no payload.
CREATE TABLE doors (
    kind   TEXT NOT NULL,
    hash   BLOB NOT NULL,
    tenant BLOB NOT NULL CHECK (length(tenant) = 16),
    id     BLOB NOT NULL CHECK (length(id) = 16),
    PRIMARY KEY (kind, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
    tenant      BLOB    NOT NULL CHECK (length(tenant) = 16),
    id          BLOB    NOT NULL CHECK (length(id) = 16),
    name        TEXT    NOT NULL,
    hash        BLOB    NOT NULL CHECK (length(hash) = 32),
    prefix      TEXT    NOT NULL,
    permissions TEXT    NOT NULL,
    created_by  TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER,
    revoked_at  INTEGER,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE connections (
    tenant         BLOB    NOT NULL CHECK (length(tenant) = 16),
    id             BLOB    NOT NULL CHECK (length(id) = 16),
    scope_kind     TEXT    NOT NULL,
    scope_identity TEXT    NOT NULL,
    connector      TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    display_name   TEXT    NOT NULL,
    auth           TEXT    NOT NULL,
    config         TEXT    NOT NULL,
    secret_version INTEGER NOT NULL,
    enabled        INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    health         TEXT    NOT NULL,
    health_reason  TEXT,
    health_since   INTEGER NOT NULL,
    version        INTEGER NOT NULL,
    created_by     TEXT    NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, scope_kind, scope_identity, connector, name)
) STRICT;

-- The secret fields of a connection, as the vault sealed them.
CREATE TABLE connection_secrets (
    tenant     BLOB    NOT NULL,
    connection BLOB    NOT NULL,
    field      TEXT    NOT NULL,
    sealed     BLOB    NOT NULL,
    last4      TEXT,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, connection, field),
    FOREIGN KEY (tenant, connection) REFERENCES connections (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE data_keys (
    tenant     BLOB    NOT NULL CHECK (length(tenant) = 16),
    id         INTEGER NOT NULL,
    wrapped    BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    tenant  BLOB    NOT NULL CHECK (length(tenant) = 16),
    seq     INTEGER NOT NULL,
    id      BLOB    NOT NULL CHECK (length(id) = 16),
    at      INTEGER NOT NULL,
    actor   TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    detail  TEXT    NOT NULL,
    hash    BLOB    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (tenant, seq)
) STRICT, WITHOUT ROWID;

-- The last place and hash of each chain.
CREATE TABLE audit_heads (
    tenant BLOB    NOT NULL PRIMARY KEY CHECK (length(tenant) = 16),
    seq    INTEGER NOT NULL,
    hash   BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER audit_is_never_updated BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit chain is append-only'); END;

CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit chain is append-only'); END;

-- Also refuses INSERT OR REPLACE, which deletes the old row without firing a DELETE trigger.
CREATE TRIGGER audit_grows_at_its_end BEFORE INSERT ON audit
WHEN NEW.seq IS NOT coalesce((SELECT max(seq) FROM audit WHERE tenant = NEW.tenant), 0) + 1
BEGIN SELECT RAISE(ABORT, 'the audit chain grows at its end only'); END;

CREATE TRIGGER audit_head_is_never_deleted BEFORE DELETE ON audit_heads
BEGIN SELECT RAISE(ABORT, 'the audit chain is append-only'); END;

CREATE TRIGGER audit_head_only_advances BEFORE UPDATE ON audit_heads
WHEN NEW.tenant IS NOT OLD.tenant OR NEW.seq <= OLD.seq
BEGIN SELECT RAISE(ABORT, 'the audit chain is append-only'); END;

CREATE TRIGGER audit_head_is_never_replaced BEFORE INSERT ON audit_heads
WHEN NEW.seq <= (SELECT seq FROM audit_heads WHERE tenant = NEW.tenant)
BEGIN SELECT RAISE(ABORT, 'the audit chain is append-only'); END;

-- What happened to which row, in the order of commit. AUTOINCREMENT: a place is never given twice.
CREATE TABLE feed (
    seq     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id      BLOB    NOT NULL CHECK (length(id) = 16),
    at      INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    tenant  BLOB    NOT NULL CHECK (length(tenant) = 16),
    subject TEXT    NOT NULL
) STRICT;

-- What belongs to the deployment and to no tenant.
CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
