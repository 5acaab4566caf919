-- Usage summed up by one thing alone (`key` is empty for the whole day), so that a page of sums reads the days of its own
-- groups and no others.
CREATE TABLE usage_totals (
    tenant   BLOB    NOT NULL CHECK (length(tenant) = 16),
    part     TEXT    NOT NULL CHECK (part IN ('day', 'connector', 'connection', 'actor')),
    key      TEXT    NOT NULL,
    day      TEXT    NOT NULL,
    calls    INTEGER NOT NULL,
    errors   INTEGER NOT NULL,
    micros   INTEGER NOT NULL,
    sent     INTEGER NOT NULL,
    received INTEGER NOT NULL,
    PRIMARY KEY (tenant, part, key, day)
) STRICT, WITHOUT ROWID;

INSERT INTO usage_totals
SELECT tenant, 'day', '', day, sum(calls), sum(errors), sum(micros), sum(sent), sum(received)
FROM usage GROUP BY tenant, day
UNION ALL
SELECT tenant, 'connector', connector, day, sum(calls), sum(errors), sum(micros), sum(sent), sum(received)
FROM usage GROUP BY tenant, connector, day
UNION ALL
SELECT tenant, 'connection', connection, day, sum(calls), sum(errors), sum(micros), sum(sent), sum(received)
FROM usage GROUP BY tenant, connection, day
UNION ALL
SELECT tenant, 'actor', actor, day, sum(calls), sum(errors), sum(micros), sum(sent), sum(received)
FROM usage GROUP BY tenant, actor, day;

-- For sums under other conditions.
CREATE INDEX usage_by_connection ON usage (tenant, connection, day);
CREATE INDEX usage_by_actor ON usage (tenant, actor, day);

-- How many bytes a tenant's kept answers have. An answer of no bytes says that there was one, which made room for others.
CREATE TABLE idempotency_kept (
    tenant BLOB    NOT NULL PRIMARY KEY CHECK (length(tenant) = 16),
    bytes  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO idempotency_kept
SELECT tenant, sum(length(answer)) FROM idempotency WHERE answer IS NOT NULL GROUP BY tenant;

CREATE INDEX idempotency_by_age ON idempotency (tenant, expires_at) WHERE length(answer) > 0;

CREATE TRIGGER idempotency_answers_are_weighed AFTER UPDATE OF answer ON idempotency
BEGIN
    INSERT INTO idempotency_kept (tenant, bytes)
    VALUES (NEW.tenant, coalesce(length(NEW.answer), 0) - coalesce(length(OLD.answer), 0))
    ON CONFLICT (tenant) DO UPDATE SET bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER idempotency_answers_that_go_weigh_nothing AFTER DELETE ON idempotency WHEN length(OLD.answer) > 0
BEGIN
    UPDATE idempotency_kept SET bytes = bytes - length(OLD.answer) WHERE tenant = OLD.tenant;
END;
