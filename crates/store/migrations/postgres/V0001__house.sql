-- Roles and walls; tenants, API keys, connections, data keys, the audit chain and the feed.
--
-- Words from outside are bytes (`bytea`, UTF-8): they may hold U+0000, which no text here can, and they are compared as
-- they are. Words of our own are text. Every key of a tenant's table begins with the tenant, so that no constraint can tell
-- one tenant about another. Rows do not refer to `tenants`: an embedder's one fixed tenant needs no row there.

-- Who works here: `app` does everything the store does, `claim` owns the few functions that look across tenants. Both are
-- named after the database, may not sign in, and are written down because a database can be renamed.
CREATE TABLE roles (
    app   text NOT NULL,
    claim text NOT NULL
);
INSERT INTO roles VALUES (current_database() || '_app', current_database() || '_claim');

DO $$
DECLARE
    role text;
BEGIN
    FOR role IN SELECT unnest(ARRAY[app, claim]) FROM roles LOOP
        IF octet_length(role) > 63 THEN
            RAISE EXCEPTION 'the database has a name too long to name roles after: 57 bytes are the most';
        END IF;
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role);
        END IF;
        -- A superuser may become anybody. Whoever else migrates has made the role, or is its member already.
        IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
            BEGIN
                EXECUTE format('GRANT %I TO CURRENT_USER', role);
            EXCEPTION WHEN insufficient_privilege THEN
                IF NOT pg_has_role(current_user, role, 'MEMBER') THEN
                    RAISE;
                END IF;
            END;
        END IF;
        EXECUTE format('GRANT USAGE ON SCHEMA tieline TO %I', role);
    END LOOP;
END $$;

-- Makes a table a tenant's: whoever works on it sees and writes the rows of the tenant that the transaction is in, and
-- without one none. Says what `app` may do with it.
CREATE FUNCTION guard(target regclass, rights text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format(
        'CREATE POLICY tenant ON %s USING (tenant = nullif(current_setting(''app.tenant'', true), '''')::uuid) '
        'WITH CHECK (tenant = nullif(current_setting(''app.tenant'', true), '''')::uuid)', target);
    EXECUTE format('GRANT %s ON %s TO %I', rights, target, (SELECT app FROM tieline.roles));
END $$;

-- What belongs to the deployment and to no tenant.
CREATE FUNCTION share(target regclass, rights text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('GRANT %s ON %s TO %I', rights, target, (SELECT app FROM tieline.roles));
END $$;

-- Lets `claim`, and nobody else, see a table across tenants: `rights` names the columns, which hold no payload.
CREATE FUNCTION reveal(target regclass, rights text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('GRANT %s ON %s TO %I', rights, target, (SELECT claim FROM tieline.roles));
    EXECUTE format('CREATE POLICY claim ON %s TO %I USING (true)', target, (SELECT claim FROM tieline.roles));
END $$;

-- Gives a function that looks across tenants to `claim`, and its use to `app`.
CREATE FUNCTION hand_over(target regproc) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    claim text := (SELECT roles.claim FROM tieline.roles);
BEGIN
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', target);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', target, (SELECT app FROM tieline.roles));
    -- Only who may make something in a schema may own something there.
    EXECUTE format('GRANT CREATE ON SCHEMA tieline TO %I', claim);
    EXECUTE format('ALTER FUNCTION %s OWNER TO %I', target, claim);
    EXECUTE format('REVOKE CREATE ON SCHEMA tieline FROM %I', claim);
END $$;

REVOKE ALL ON FUNCTION guard, share, reveal, hand_over FROM PUBLIC;

CREATE TABLE tenants (
    id         uuid        NOT NULL PRIMARY KEY,
    name       bytea       NOT NULL UNIQUE,
    created_at timestamptz NOT NULL
);
SELECT share('tenants', 'SELECT, INSERT, UPDATE');

-- What is looked up before the tenant is known: ids only, no payload.
CREATE TABLE doors (
    kind   text  NOT NULL,
    hash   bytea NOT NULL,
    tenant uuid  NOT NULL,
    id     uuid  NOT NULL,
    PRIMARY KEY (kind, hash)
);
SELECT guard('doors', 'SELECT, INSERT, DELETE');
SELECT reveal('doors', 'SELECT (kind, hash, tenant, id)');

CREATE FUNCTION open_door(wanted text, hashed bytea) RETURNS TABLE (tenant uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT d.tenant, d.id FROM tieline.doors d WHERE d.kind = wanted AND d.hash = hashed
$$;
SELECT hand_over('open_door');

CREATE TABLE api_keys (
    tenant      uuid        NOT NULL,
    id          uuid        NOT NULL,
    name        bytea       NOT NULL,
    hash        bytea       NOT NULL CHECK (octet_length(hash) = 32),
    prefix      bytea       NOT NULL,
    permissions bytea       NOT NULL,
    created_by  bytea       NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz,
    revoked_at  timestamptz,
    PRIMARY KEY (tenant, id)
);
SELECT guard('api_keys', 'SELECT, INSERT, UPDATE');

CREATE TABLE connections (
    tenant         uuid        NOT NULL,
    id             uuid        NOT NULL,
    scope_kind     bytea       NOT NULL,
    scope_identity bytea       NOT NULL,
    connector      bytea       NOT NULL,
    name           bytea       NOT NULL,
    display_name   bytea       NOT NULL,
    auth           bytea       NOT NULL,
    config         bytea       NOT NULL,
    secret_version bigint      NOT NULL,
    enabled        boolean     NOT NULL,
    health         text        NOT NULL,
    health_reason  bytea,
    health_since   timestamptz NOT NULL,
    version        bigint      NOT NULL,
    created_by     bytea       NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, scope_kind, scope_identity, connector, name)
);
SELECT guard('connections', 'SELECT, INSERT, UPDATE, DELETE');

-- The secret fields of a connection, as the vault sealed them.
CREATE TABLE connection_secrets (
    tenant     uuid        NOT NULL,
    connection uuid        NOT NULL,
    field      bytea       NOT NULL,
    sealed     bytea       NOT NULL,
    last4      bytea,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, connection, field),
    FOREIGN KEY (tenant, connection) REFERENCES connections (tenant, id) ON DELETE CASCADE
);
SELECT guard('connection_secrets', 'SELECT, INSERT, DELETE');

CREATE TABLE data_keys (
    tenant     uuid        NOT NULL,
    id         bigint      NOT NULL,
    wrapped    bytea       NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);
SELECT guard('data_keys', 'SELECT, INSERT');

CREATE TABLE audit (
    tenant  uuid        NOT NULL,
    seq     bigint      NOT NULL,
    id      uuid        NOT NULL,
    at      timestamptz NOT NULL,
    actor   bytea       NOT NULL,
    action  bytea       NOT NULL,
    subject bytea       NOT NULL,
    detail  bytea       NOT NULL,
    hash    bytea       NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (tenant, seq)
);
SELECT guard('audit', 'SELECT, INSERT');

-- The last place and hash of each chain. A new one begins at place 0, for its row is locked before the chain grows.
CREATE TABLE audit_heads (
    tenant uuid   NOT NULL PRIMARY KEY,
    seq    bigint NOT NULL,
    hash   bytea  NOT NULL CHECK (octet_length(hash) = 32)
);
SELECT guard('audit_heads', 'SELECT, INSERT, UPDATE');
SELECT reveal('audit_heads', 'SELECT (tenant, seq, hash)');

CREATE FUNCTION heads_of_chains(beyond uuid, most bigint) RETURNS TABLE (tenant uuid, seq bigint, hash bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT h.tenant, h.seq, h.hash FROM tieline.audit_heads h WHERE h.tenant >= beyond ORDER BY h.tenant LIMIT most
$$;
SELECT hand_over('heads_of_chains');

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE FUNCTION grows_at_its_end() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.seq IS DISTINCT FROM coalesce((SELECT max(seq) FROM tieline.audit WHERE tenant = NEW.tenant), 0) + 1 THEN
        RAISE EXCEPTION 'the audit chain grows at its end only' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION only_advances() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.tenant IS DISTINCT FROM OLD.tenant OR NEW.seq <= OLD.seq THEN
        RAISE EXCEPTION 'the audit chain is append-only' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER audit_is_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION refuse('the audit chain is append-only');

CREATE TRIGGER audit_grows_at_its_end BEFORE INSERT ON audit
FOR EACH ROW EXECUTE FUNCTION grows_at_its_end();

CREATE TRIGGER audit_head_is_never_deleted BEFORE DELETE OR TRUNCATE ON audit_heads
FOR EACH STATEMENT EXECUTE FUNCTION refuse('the audit chain is append-only');

CREATE TRIGGER audit_head_only_advances BEFORE UPDATE ON audit_heads
FOR EACH ROW EXECUTE FUNCTION only_advances();

-- What happened to which row, in the order of its place: the number of the transaction that wrote it, and which of its
-- events it is. Numbers from a counter would not do, because a reader may see a later one committed before an earlier one.
CREATE TABLE feed (
    seq     bigint      NOT NULL,
    id      uuid        NOT NULL,
    at      timestamptz NOT NULL,
    kind    text        NOT NULL,
    tenant  uuid        NOT NULL,
    subject bytea       NOT NULL,
    PRIMARY KEY (tenant, seq)
);
CREATE INDEX feed_by_place ON feed (seq);
SELECT guard('feed', 'INSERT');
SELECT reveal('feed', 'SELECT, DELETE');

-- What is added to every place: in a database that was restored into another cluster, the numbers of transactions begin
-- anew, and places must not.
CREATE TABLE feed_base (
    base bigint NOT NULL
);
INSERT INTO feed_base VALUES (0);
GRANT SELECT ON feed_base TO PUBLIC;

-- Before which place nothing can be written any more: no transaction of this database that got a lower number is still
-- under way. Those of other databases write nothing here, so a long one there holds up nobody. The transactions under way
-- are noted first, and whose they are looked up then: what ended in between is there for the next statement, which is why
-- whoever asks must read its rows in a statement, and with a snapshot, of its own.
CREATE FUNCTION feed_horizon() RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    seen pg_snapshot := pg_current_snapshot();
    ours bigint;
BEGIN
    SELECT min(running::text::bigint) INTO ours FROM pg_snapshot_xip(seen) AS running
    WHERE (running::text::bigint & 4294967295) IN (
        SELECT backend_xid::text::bigint FROM pg_stat_activity
        WHERE datname = current_database() AND backend_xid IS NOT NULL);
    RETURN (SELECT base FROM tieline.feed_base)
        + (coalesce(ours, pg_snapshot_xmax(seen)::text::bigint) << 16);
END $$;
SELECT hand_over('feed_horizon');

-- The newest place there ever was, under way or not: a start looks whether places still rise.
CREATE FUNCTION newest_in_feed() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT max(f.seq) FROM tieline.feed f
$$;
SELECT hand_over('newest_in_feed');

CREATE FUNCTION read_feed(beyond bigint, most bigint)
RETURNS TABLE (seq bigint, id uuid, at timestamptz, kind text, tenant uuid, subject bytea)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    horizon bigint := tieline.feed_horizon();
BEGIN
    RETURN QUERY SELECT f.seq, f.id, f.at, f.kind, f.tenant, f.subject FROM tieline.feed f
        WHERE f.seq > beyond AND f.seq < horizon ORDER BY f.seq LIMIT most;
END $$;
SELECT hand_over('read_feed');

-- The places of the oldest and the newest change that can be read; nothing when there is none.
CREATE FUNCTION ends_of_feed() RETURNS TABLE (first bigint, last bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    horizon bigint := tieline.feed_horizon();
BEGIN
    RETURN QUERY SELECT min(f.seq), max(f.seq) FROM tieline.feed f WHERE f.seq < horizon HAVING min(f.seq) IS NOT NULL;
END $$;
SELECT hand_over('ends_of_feed');

-- Takes out a prefix of the feed: up to the first change that is not old, and never the newest.
CREATE FUNCTION prune_feed(before timestamptz, most bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    horizon bigint := tieline.feed_horizon();
    until bigint;
    pruned bigint;
BEGIN
    SELECT least(
        (SELECT max(f.seq) FROM tieline.feed f WHERE f.seq < horizon),
        (SELECT f.seq FROM tieline.feed f WHERE f.at >= before ORDER BY f.seq LIMIT 1)
    ) INTO until;
    DELETE FROM tieline.feed f WHERE f.seq IN (
        SELECT o.seq FROM tieline.feed o WHERE o.seq < until ORDER BY o.seq LIMIT most);
    GET DIAGNOSTICS pruned = ROW_COUNT;
    RETURN pruned;
END $$;
SELECT hand_over('prune_feed');

-- Work that is due some day, of all tenants: what kind, on which row, and who is at it until when. No payload.
CREATE TABLE work (
    tenant uuid        NOT NULL,
    kind   text        NOT NULL,
    key    uuid        NOT NULL,
    due    timestamptz NOT NULL,
    owner  text,
    epoch  bigint      NOT NULL DEFAULT 0,
    until  timestamptz,
    PRIMARY KEY (tenant, kind, key)
);
CREATE INDEX work_by_turn ON work (kind, tenant, due);
SELECT guard('work', 'SELECT, INSERT, UPDATE, DELETE');
SELECT reveal('work', 'SELECT, UPDATE (owner, epoch, until)');

-- Takes work that is due and that nobody is at: the first of every tenant, then the second of every tenant, and so on, so
-- that no tenant's backlog holds up another's. Whoever takes it is told a new epoch, and writes only while that stands.
CREATE FUNCTION claim_due(wanted text, claimant text, lease interval, most integer)
RETURNS TABLE (tenant uuid, key uuid, epoch bigint)
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
                WHERE w.kind = wanted AND w.tenant = waiting.tenant AND w.due <= now()
                    AND (w.until IS NULL OR w.until <= now())
                ORDER BY w.due, w.key LIMIT most
            ) w
        ) next WHERE waiting.tenant IS NOT NULL
    ), taken AS (
        SELECT w.tenant, w.key FROM tieline.work w
        JOIN (SELECT t.tenant, t.key, t.turn, t.due FROM turns t ORDER BY t.turn, t.due LIMIT most) t
            ON t.tenant = w.tenant AND t.key = w.key
        WHERE w.kind = wanted AND w.due <= now() AND (w.until IS NULL OR w.until <= now())
        ORDER BY t.turn, t.due FOR UPDATE OF w SKIP LOCKED
    )
    UPDATE tieline.work w SET owner = claimant, epoch = w.epoch + 1, until = now() + lease
    FROM taken WHERE w.kind = wanted AND w.tenant = taken.tenant AND w.key = taken.key
    RETURNING w.tenant, w.key, w.epoch
$$;
SELECT hand_over('claim_due');

-- What belongs to the deployment and to no tenant.
CREATE TABLE meta (
    name  text  NOT NULL PRIMARY KEY,
    value bytea NOT NULL
);
SELECT share('meta', 'SELECT, INSERT, UPDATE');
