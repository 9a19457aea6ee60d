-- What was read of a repository's history, so that the next time only what is new is read.
CREATE TABLE control.repo_history (
  repo_id text PRIMARY KEY, head text NOT NULL, mailmap text, rules text NOT NULL,
  commits bigint NOT NULL, claims_sum bigint NOT NULL, read_at timestamptz NOT NULL
);
ALTER TABLE control.identity_merge ADD COLUMN score real, ADD COLUMN evidence jsonb NOT NULL DEFAULT '[]',
  -- The repair by which a person said "not one": no automatic merge then joins them again.
  ADD COLUMN undone_by bigint;
CREATE INDEX idx_identity_merge_undone ON control.identity_merge (identity_id, target_id) WHERE undone_by IS NOT NULL;
-- Two that may be one person, for a person to decide.
CREATE TABLE control.identity_hint (
  a text NOT NULL, b text NOT NULL, score real NOT NULL, evidence jsonb NOT NULL,
  at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (a, b), CHECK (a < b)
);
CREATE INDEX idx_identity_hint_b ON control.identity_hint (b);
-- What a repair took away, so that it can be put back.
CREATE TABLE control.repair_record (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, job_seq bigint NOT NULL, kind text NOT NULL,
  rows jsonb NOT NULL, at timestamptz NOT NULL DEFAULT now(), undone_at timestamptz
);
CREATE INDEX idx_repair_record_job ON control.repair_record (job_seq);
-- Of forgotten people only keyed digests stay: enough to know them again, not enough to name them.
CREATE TABLE control.privacy_key (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  key bytea NOT NULL DEFAULT sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'))
);
CREATE TABLE control.forgotten (
  key_hash bytea PRIMARY KEY, kind text NOT NULL CHECK (kind IN ('mail', 'login', 'mail+name', 'name')),
  request text NOT NULL, job_seq bigint, at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_events_repo_time ON public.events (repo_id, occurred_at) WHERE repo_id IS NOT NULL;
