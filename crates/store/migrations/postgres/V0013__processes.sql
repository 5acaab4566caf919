-- The processes that share this database: limits are shared among as many as live. When each was last heard of is told by
-- the clock of the database, because theirs differ.

CREATE TABLE processes (
    id      uuid        NOT NULL PRIMARY KEY,
    seen_at timestamptz NOT NULL
);
SELECT share('processes', 'SELECT, INSERT, UPDATE, DELETE');
