-- The ledger of calls, and usage summed up by day.

CREATE TABLE calls (
    tenant     uuid        NOT NULL,
    seq        bigint      NOT NULL,
    -- Holds the time of `at`, so this is also their order in time.
    id         uuid        NOT NULL,
    at         timestamptz NOT NULL,
    actor      bytea       NOT NULL,
    kind       text        NOT NULL,
    connector  bytea       NOT NULL,
    action     bytea,
    connection uuid,
    credential uuid,
    outcome    bytea       NOT NULL,
    status     bigint,
    micros     bigint      NOT NULL,
    attempts   bigint      NOT NULL,
    sent       bigint,
    received   bigint,
    mark       bytea       NOT NULL CHECK (octet_length(mark) = 16),
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX calls_by_place ON calls (tenant, seq);
CREATE INDEX calls_by_connection ON calls (tenant, connection, id) WHERE connection IS NOT NULL;
-- Those that went wrong are few, and looked for.
CREATE INDEX calls_that_failed ON calls (tenant, outcome, id) WHERE outcome <> 'ok';
SELECT guard('calls', 'SELECT, INSERT, DELETE');

CREATE TRIGGER calls_are_never_updated BEFORE UPDATE ON calls
FOR EACH STATEMENT EXECUTE FUNCTION refuse('a call is written once');

-- The last place of each ledger: it outlives the rows.
CREATE TABLE call_heads (
    tenant uuid   NOT NULL PRIMARY KEY,
    seq    bigint NOT NULL
);
SELECT guard('call_heads', 'SELECT, INSERT, UPDATE');
SELECT reveal('call_heads', 'SELECT (tenant)');

CREATE FUNCTION calling_tenants(beyond uuid, most bigint) RETURNS TABLE (tenant uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT h.tenant FROM tieline.call_heads h WHERE h.tenant >= beyond ORDER BY h.tenant LIMIT most
$$;
SELECT hand_over('calling_tenants');

-- Days as ISO 8601, connections as their public identifier: both sort as the groups they are read by. No connection is
-- the empty text, so that the key is whole.
CREATE TABLE usage (
    tenant     uuid   NOT NULL,
    day        bytea  NOT NULL,
    connector  bytea  NOT NULL,
    connection bytea  NOT NULL,
    actor      bytea  NOT NULL,
    calls      bigint NOT NULL,
    errors     bigint NOT NULL,
    micros     bigint NOT NULL,
    sent       bigint NOT NULL,
    received   bigint NOT NULL,
    PRIMARY KEY (tenant, day, connector, connection, actor)
);
SELECT guard('usage', 'SELECT, INSERT, UPDATE');
