CREATE INDEX idx_audit_log_created_at ON audit_log (created_at);
CREATE INDEX idx_audit_log_target ON audit_log (target, created_at DESC);
CREATE INDEX idx_audit_log_actor ON audit_log (actor, created_at DESC);
