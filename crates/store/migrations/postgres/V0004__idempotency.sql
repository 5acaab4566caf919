-- Requests that are run once, by what their key, principal and route come to. Both blobs are sealed.

CREATE TABLE idempotency (
    tenant     uuid        NOT NULL,
    id         uuid        NOT NULL,
    request    bytea       NOT NULL,
    attempt    bigint      NOT NULL,
    until      timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    answer     bytea,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);
SELECT guard('idempotency', 'SELECT, INSERT, UPDATE, DELETE');
SELECT reveal('idempotency', 'SELECT (tenant, id, expires_at), DELETE');

CREATE FUNCTION prune_idempotency(moment timestamptz, most bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    pruned bigint;
BEGIN
    DELETE FROM tieline.idempotency i USING (
        SELECT o.tenant, o.id FROM tieline.idempotency o WHERE o.expires_at <= moment ORDER BY o.expires_at LIMIT most
    ) old WHERE i.tenant = old.tenant AND i.id = old.id AND i.expires_at <= moment;
    GET DIAGNOSTICS pruned = ROW_COUNT;
    RETURN pruned;
END $$;
SELECT hand_over('prune_idempotency');
