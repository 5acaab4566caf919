-- The audit log is searched by these.
CREATE INDEX audit_by_subject ON audit (tenant, subject, seq);
CREATE INDEX audit_by_actor ON audit (tenant, actor, seq);
CREATE INDEX audit_by_action ON audit (tenant, action, seq);
CREATE INDEX audit_by_entity ON audit (tenant, substr(action, 1, instr(action || '.', '.') - 1), seq);
