-- When connections are tested by themselves, and what their tests found.

-- Work that is due some day, of all tenants: what kind, on which row, and who is at it until when. What is hastened meanwhile is
-- due again then. No payload.
CREATE TABLE work (
    tenant   BLOB    NOT NULL CHECK (length(tenant) = 16),
    kind     TEXT    NOT NULL,
    key      BLOB    NOT NULL CHECK (length(key) = 16),
    due      INTEGER NOT NULL,
    owner    TEXT,
    epoch    INTEGER NOT NULL DEFAULT 0,
    until    INTEGER,
    hastened INTEGER,
    PRIMARY KEY (tenant, kind, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX work_by_turn ON work (kind, tenant, due);

-- Every connection's work comes with it from now on. Those that stand get theirs here.
INSERT INTO work (tenant, kind, key, due) SELECT tenant, 'health', id, created_at FROM connections;

-- What tests of connections found. A line has the identifier of its call, so later ones have greater ones. Lines go with
-- their connection, in the same verb; those of a tenant's are too many to go at once, and are swept.
CREATE TABLE tests (
    tenant     BLOB    NOT NULL CHECK (length(tenant) = 16),
    connection BLOB    NOT NULL CHECK (length(connection) = 16),
    id         BLOB    NOT NULL CHECK (length(id) = 16),
    at         INTEGER NOT NULL,
    success    INTEGER NOT NULL CHECK (success IN (0, 1)),
    state      TEXT    CHECK (state IN ('untested', 'healthy', 'failing', 'needs_reauth')),
    finding    TEXT,
    code       TEXT,
    message    TEXT    NOT NULL,
    latency_ms INTEGER NOT NULL,
    cause      TEXT    NOT NULL CHECK (cause IN ('created', 'requested', 'scheduled')),
    actor      TEXT    NOT NULL,
    PRIMARY KEY (tenant, connection, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX tests_by_age ON tests (at);
