-- The ledger of calls, and usage summed up by day.

CREATE TABLE calls (
    tenant     BLOB    NOT NULL CHECK (length(tenant) = 16),
    seq        INTEGER NOT NULL,
    -- Holds the time of `at`, so this is also their order in time.
    id         BLOB    NOT NULL CHECK (length(id) = 16),
    at         INTEGER NOT NULL,
    actor      TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    connector  TEXT    NOT NULL,
    action     TEXT,
    connection BLOB,
    credential BLOB,
    outcome    TEXT    NOT NULL,
    status     INTEGER,
    micros     INTEGER NOT NULL,
    attempts   INTEGER NOT NULL,
    sent       INTEGER,
    received   INTEGER,
    mark       BLOB    NOT NULL CHECK (length(mark) = 16),
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX calls_by_place ON calls (tenant, seq);

CREATE INDEX calls_by_connection ON calls (tenant, connection, id) WHERE connection IS NOT NULL;

-- Those that went wrong are few, and looked for.
CREATE INDEX calls_that_failed ON calls (tenant, outcome, id) WHERE outcome <> 'ok';

-- The last place of each ledger: it outlives the rows.
CREATE TABLE call_heads (
    tenant BLOB    NOT NULL PRIMARY KEY CHECK (length(tenant) = 16),
    seq    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER calls_are_never_updated BEFORE UPDATE ON calls
BEGIN SELECT RAISE(ABORT, 'a call is written once'); END;

-- Days as ISO 8601, connections as their public identifier: both sort as the groups they are read by. No connection is
-- the empty text, so that the key is whole.
CREATE TABLE usage (
    tenant     BLOB    NOT NULL CHECK (length(tenant) = 16),
    day        TEXT    NOT NULL,
    connector  TEXT    NOT NULL,
    connection TEXT    NOT NULL,
    actor      TEXT    NOT NULL,
    calls      INTEGER NOT NULL,
    errors     INTEGER NOT NULL,
    micros     INTEGER NOT NULL,
    sent       INTEGER NOT NULL,
    received   INTEGER NOT NULL,
    PRIMARY KEY (tenant, day, connector, connection, actor)
) STRICT, WITHOUT ROWID;
