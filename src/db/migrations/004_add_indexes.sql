CREATE UNIQUE INDEX idx_jobs_id ON jobs (id);
-- The few that need a person, and the ended ones by age (reruns by type, retention).
CREATE INDEX idx_jobs_attention ON jobs (status, job_type) WHERE status IN ('failed', 'quarantined');
CREATE INDEX idx_jobs_completed_at ON jobs (completed_at) WHERE completed_at IS NOT NULL;
CREATE INDEX idx_healdec_log_created_at ON healdec_log (created_at);
CREATE INDEX idx_healdec_log_job ON healdec_log (job_id);
CREATE INDEX idx_scores_repo ON scores (repo_id, computed_at DESC);
CREATE INDEX idx_claims_identity ON claims (identity_id);
CREATE UNIQUE INDEX idx_claims_evidence
  ON claims (repo_id, kind, coalesce(email, ''), coalesce(name, ''));
CREATE INDEX idx_identities_email ON identities (email);
CREATE INDEX idx_events_created_at ON events (created_at);
