-- The audit log is searched by these.
--
-- What an action is about is a column of its own: an index over an expression is not used behind a policy, because the
-- expression could tell what it saw.

ALTER TABLE audit ADD COLUMN entity bytea NOT NULL
    GENERATED ALWAYS AS (substr(action, 1, position('\x2e'::bytea IN action || '\x2e'::bytea) - 1)) STORED;

CREATE INDEX audit_by_subject ON audit (tenant, subject, seq);
CREATE INDEX audit_by_actor ON audit (tenant, actor, seq);
CREATE INDEX audit_by_action ON audit (tenant, action, seq);
CREATE INDEX audit_by_entity ON audit (tenant, entity, seq);
