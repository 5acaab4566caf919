-- When connections are tested by themselves, and what their tests found.

-- Every connection's work comes with it from now on. Those that stand get theirs here; the policies hold the owner too.
ALTER TABLE connections NO FORCE ROW LEVEL SECURITY;
ALTER TABLE work NO FORCE ROW LEVEL SECURITY;
INSERT INTO work (tenant, kind, key, due) SELECT tenant, 'health', id, created_at FROM connections;
ALTER TABLE work FORCE ROW LEVEL SECURITY;
ALTER TABLE connections FORCE ROW LEVEL SECURITY;

-- What is hastened while somebody is at it is due again then.
ALTER TABLE work ADD COLUMN hastened timestamptz;

-- As it was (nobody has called it yet), but what is due is told by whoever asks; leases stay with this clock, which all
-- claimants share.
DROP FUNCTION claim_due(text, text, interval, integer);

CREATE FUNCTION claim_due(wanted text, claimant text, lease interval, most bigint, moment timestamptz)
RETURNS TABLE (tenant uuid, key uuid, epoch bigint, due timestamptz)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE waiting (tenant) AS (
        (SELECT w.tenant FROM tieline.work w WHERE w.kind = wanted ORDER BY w.tenant LIMIT 1)
        UNION ALL
        SELECT (SELECT w.tenant FROM tieline.work w
                WHERE w.kind = wanted AND w.tenant > waiting.tenant ORDER BY w.tenant LIMIT 1)
        FROM waiting WHERE waiting.tenant IS NOT NULL
    ), turns AS (
        SELECT waiting.tenant, next.key, next.due, next.turn FROM waiting CROSS JOIN LATERAL (
            SELECT w.key, w.due, row_number() OVER (ORDER BY w.due, w.key) AS turn FROM (
                SELECT w.key, w.due FROM tieline.work w
                WHERE w.kind = wanted AND w.tenant = waiting.tenant AND w.due <= moment
                    AND (w.until IS NULL OR w.until <= now())
                ORDER BY w.due, w.key LIMIT most
            ) w
        ) next WHERE waiting.tenant IS NOT NULL
    ), taken AS (
        SELECT w.tenant, w.key FROM tieline.work w
        JOIN (SELECT t.tenant, t.key, t.turn, t.due FROM turns t ORDER BY t.turn, t.due LIMIT most) t
            ON t.tenant = w.tenant AND t.key = w.key
        WHERE w.kind = wanted AND w.due <= moment AND (w.until IS NULL OR w.until <= now())
        ORDER BY t.turn, t.due FOR UPDATE OF w SKIP LOCKED
    )
    UPDATE tieline.work w SET owner = claimant, epoch = w.epoch + 1, until = now() + lease
    FROM taken WHERE w.kind = wanted AND w.tenant = taken.tenant AND w.key = taken.key
    RETURNING w.tenant, w.key, w.epoch, w.due
$$;
SELECT hand_over('claim_due');

-- What tests of connections found. A line has the identifier of its call, so later ones have greater ones. Lines go with
-- their connection, in the same verb; those of a tenant's are too many to go at once, and are swept.
CREATE TABLE tests (
    tenant     uuid        NOT NULL,
    connection uuid        NOT NULL,
    id         uuid        NOT NULL,
    at         timestamptz NOT NULL,
    success    boolean     NOT NULL,
    state      text        CHECK (state IN ('untested', 'healthy', 'failing', 'needs_reauth')),
    finding    bytea,
    code       bytea,
    message    bytea       NOT NULL,
    latency_ms bigint      NOT NULL,
    cause      text        NOT NULL CHECK (cause IN ('created', 'requested', 'scheduled')),
    actor      bytea       NOT NULL,
    PRIMARY KEY (tenant, connection, id)
);
CREATE INDEX tests_by_age ON tests (at);
SELECT guard('tests', 'SELECT, INSERT, DELETE');
SELECT reveal('tests', 'SELECT (tenant, connection, id, at), DELETE');

CREATE FUNCTION prune_tests(before timestamptz, most bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    pruned bigint;
BEGIN
    DELETE FROM tieline.tests t USING (
        SELECT o.tenant, o.connection, o.id FROM tieline.tests o WHERE o.at < before ORDER BY o.at LIMIT most
    ) old WHERE t.tenant = old.tenant AND t.connection = old.connection AND t.id = old.id;
    GET DIAGNOSTICS pruned = ROW_COUNT;
    RETURN pruned;
END $$;
SELECT hand_over('prune_tests');
