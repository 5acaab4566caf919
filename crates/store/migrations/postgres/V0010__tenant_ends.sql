-- Tenants that were deleted: their audit chains stay, and nothing of them is ever changed again.

CREATE TABLE deleted_tenants (
    id         uuid        NOT NULL PRIMARY KEY,
    deleted_at timestamptz NOT NULL,
    -- Whether its calls and usage are gone, too.
    swept      boolean     NOT NULL DEFAULT false
);
CREATE INDEX deleted_tenants_to_sweep ON deleted_tenants (id) WHERE NOT swept;
SELECT share('deleted_tenants', 'SELECT, INSERT, UPDATE (swept)');

-- What goes with a tenant.
SELECT share('tenants', 'DELETE');
SELECT share('api_keys', 'DELETE');
SELECT share('data_keys', 'DELETE');
SELECT share('idempotency_kept', 'DELETE');
SELECT share('call_heads', 'DELETE');
SELECT share('usage', 'DELETE');
SELECT share('usage_totals', 'DELETE');

-- A tenant's doors are shut all at once.
CREATE INDEX doors_by_tenant ON doors (tenant);

-- From where an API key may be used, as a JSON array of networks; from everywhere, unless it says.
ALTER TABLE api_keys ADD COLUMN networks bytea;
