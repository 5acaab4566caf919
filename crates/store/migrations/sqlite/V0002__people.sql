-- Persons, their memberships, one-time links and sessions.
--
-- Persons belong to the deployment: one account, whatever tenants it is in. Doors of the kinds `link` and `session` lead
-- to the last two.

CREATE TABLE users (
    id               BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    email            TEXT    NOT NULL UNIQUE,
    name             TEXT    NOT NULL,
    password         TEXT    NOT NULL,
    password_version INTEGER NOT NULL,
    disabled_at      INTEGER,
    created_at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE memberships (
    tenant     BLOB    NOT NULL CHECK (length(tenant) = 16),
    user       BLOB    NOT NULL CHECK (length(user) = 16) REFERENCES users (id),
    role       TEXT    NOT NULL,
    created_by TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, user)
) STRICT, WITHOUT ROWID;

CREATE INDEX memberships_by_user ON memberships (user, tenant);

-- An invitation has a role; a link to set a new password has none.
CREATE TABLE links (
    tenant     BLOB    NOT NULL CHECK (length(tenant) = 16),
    user       BLOB    NOT NULL CHECK (length(user) = 16),
    role       TEXT,
    email      TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    hash       BLOB    NOT NULL CHECK (length(hash) = 32),
    created_by TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, user),
    UNIQUE (tenant, email)
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    tenant           BLOB    NOT NULL CHECK (length(tenant) = 16),
    id               BLOB    NOT NULL CHECK (length(id) = 16),
    user             BLOB    NOT NULL CHECK (length(user) = 16),
    hash             BLOB    NOT NULL CHECK (length(hash) = 32),
    password_version INTEGER NOT NULL,
    member_since     INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    seen_at          INTEGER NOT NULL,
    ends_at          INTEGER NOT NULL,
    ended_at         INTEGER,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_member ON sessions (tenant, user, id);
