-- Persons, their memberships, one-time links and sessions.
--
-- Persons belong to the deployment: one account, whatever tenants it is in. Doors of the kinds `link` and `session` lead
-- to the last two.

CREATE TABLE users (
    id               uuid        NOT NULL PRIMARY KEY,
    email            bytea       NOT NULL UNIQUE,
    name             bytea       NOT NULL,
    password         text        NOT NULL,
    password_version bigint      NOT NULL,
    disabled_at      timestamptz,
    created_at       timestamptz NOT NULL
);
SELECT share('users', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE memberships (
    tenant     uuid        NOT NULL,
    user_id    uuid        NOT NULL REFERENCES users (id),
    role       text        NOT NULL,
    created_by bytea       NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, user_id)
);
CREATE INDEX memberships_by_user ON memberships (user_id, tenant);
SELECT guard('memberships', 'SELECT, INSERT, UPDATE, DELETE');
SELECT reveal('memberships', 'SELECT');

-- A person's memberships: where they may sign in, and whether they belong anywhere else.
CREATE FUNCTION memberships_of(person uuid, most bigint)
RETURNS TABLE (tenant uuid, user_id uuid, role text, created_by bytea, created_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.tenant, m.user_id, m.role, m.created_by, m.created_at FROM tieline.memberships m
    WHERE m.user_id = person ORDER BY m.tenant LIMIT most
$$;
SELECT hand_over('memberships_of');

-- An invitation has a role; a link to set a new password has none.
CREATE TABLE links (
    tenant     uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    role       text,
    email      bytea       NOT NULL,
    name       bytea       NOT NULL,
    hash       bytea       NOT NULL CHECK (octet_length(hash) = 32),
    created_by bytea       NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, user_id),
    UNIQUE (tenant, email)
);
SELECT guard('links', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE sessions (
    tenant           uuid        NOT NULL,
    id               uuid        NOT NULL,
    user_id          uuid        NOT NULL,
    hash             bytea       NOT NULL CHECK (octet_length(hash) = 32),
    password_version bigint      NOT NULL,
    member_since     timestamptz NOT NULL,
    created_at       timestamptz NOT NULL,
    seen_at          timestamptz NOT NULL,
    ends_at          timestamptz NOT NULL,
    ended_at         timestamptz,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX sessions_by_member ON sessions (tenant, user_id, id);
SELECT guard('sessions', 'SELECT, INSERT, UPDATE, DELETE');
