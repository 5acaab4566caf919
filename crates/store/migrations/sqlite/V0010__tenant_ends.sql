-- Tenants that were deleted: their audit chains stay, and nothing of them is ever changed again.

CREATE TABLE deleted_tenants (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    deleted_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A tenant's doors are shut all at once.
CREATE INDEX doors_by_tenant ON doors (tenant);

-- From where an API key may be used, as a JSON array of networks; from everywhere, unless it says.
ALTER TABLE api_keys ADD COLUMN networks TEXT;
