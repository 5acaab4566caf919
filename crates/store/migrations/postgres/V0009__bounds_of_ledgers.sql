-- Usage summed up by one thing alone (`key` is empty for the whole day), so that a page of sums reads the days of its own
-- groups and no others. There is no usage yet that is older than this.
CREATE TABLE usage_totals (
    tenant   uuid   NOT NULL,
    part     text   NOT NULL CHECK (part IN ('day', 'connector', 'connection', 'actor')),
    key      bytea  NOT NULL,
    day      bytea  NOT NULL,
    calls    bigint NOT NULL,
    errors   bigint NOT NULL,
    micros   bigint NOT NULL,
    sent     bigint NOT NULL,
    received bigint NOT NULL,
    PRIMARY KEY (tenant, part, key, day)
);
SELECT guard('usage_totals', 'SELECT, INSERT, UPDATE');

-- For sums under other conditions.
CREATE INDEX usage_by_connection ON usage (tenant, connection, day);
CREATE INDEX usage_by_actor ON usage (tenant, actor, day);

-- How many bytes a tenant's kept answers have. An answer of no bytes says that there was one, which made room for others.
CREATE TABLE idempotency_kept (
    tenant uuid   NOT NULL PRIMARY KEY,
    bytes  bigint NOT NULL
);
SELECT guard('idempotency_kept', 'SELECT, INSERT, UPDATE');

CREATE INDEX idempotency_by_age ON idempotency (tenant, expires_at) WHERE octet_length(answer) > 0;

-- Answers are weighed in whatever way they come and go, also when they are pruned across tenants by the role for that. It
-- sees no answer: only the trigger does.
SELECT reveal('idempotency_kept', 'SELECT, UPDATE (bytes)');

CREATE FUNCTION weigh_answers() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    gone bigint := coalesce(octet_length(OLD.answer), 0);
    come bigint := 0;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        come := coalesce(octet_length(NEW.answer), 0);
    END IF;
    IF come > gone THEN
        INSERT INTO tieline.idempotency_kept AS k (tenant, bytes) VALUES (OLD.tenant, come - gone)
        ON CONFLICT (tenant) DO UPDATE SET bytes = k.bytes + excluded.bytes;
    ELSIF come < gone THEN
        UPDATE tieline.idempotency_kept SET bytes = bytes - (gone - come) WHERE tenant = OLD.tenant;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER idempotency_answers_are_weighed AFTER UPDATE OF answer OR DELETE ON idempotency
FOR EACH ROW EXECUTE FUNCTION weigh_answers();
