-- A storm has one leader; who folds into it inherits its outcome and is told it (rc 4.4).
CREATE TABLE control.run_follower (
  run_seq bigint NOT NULL REFERENCES control.run (seq) ON DELETE CASCADE,
  cause_key text NOT NULL, incident_id text, inbound_id bigint,
  joined_at timestamptz NOT NULL DEFAULT now(), told_at timestamptz,
  PRIMARY KEY (run_seq, cause_key)
);
CREATE INDEX idx_run_follower_untold ON control.run_follower (run_seq) WHERE told_at IS NULL;
-- Opened by N failed verifications; closed by a person alone.
CREATE TABLE control.automation_breaker (
  runbook text PRIMARY KEY, failures integer NOT NULL DEFAULT 0, opened_at timestamptz, reason text,
  closed_by text, closed_at timestamptz
);
-- What a runbook has earned for one content; another content starts again (with what policy grants).
CREATE TABLE control.promotion (
  runbook text PRIMARY KEY, content_hash text NOT NULL,
  level text NOT NULL CHECK (level IN ('manual', 'approve', 'auto')),
  reason text NOT NULL, changed_at timestamptz NOT NULL DEFAULT now(),
  -- It had more and lost it: what the policy grants counts no more until a person says so.
  is_lost boolean NOT NULL DEFAULT false,
  -- Runs that ended before this neither earn nor cost anything any more. Null: all count.
  counts_from timestamptz
);
CREATE INDEX idx_run_follower_cause ON control.run_follower (cause_key);
-- What a runbook has earned is counted from its runs, newest first.
CREATE INDEX idx_run_of_runbook ON control.run (runbook, ended_at DESC);
